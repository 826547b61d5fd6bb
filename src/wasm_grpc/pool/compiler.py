"""The compile process seen from the server: a module goes in, native code or the problems come out."""

from __future__ import annotations

import asyncio
import math
import os
from dataclasses import dataclass

from wasm_grpc.core.errors import CompileLimitError, ModuleError, UnsupportedModuleError, WorkerStartError
from wasm_grpc.core.model import GuestKind, Limits, Runtime
from wasm_grpc.core.settings import Settings
from wasm_grpc.core.wire import Kind, pack_json, unpack_json
from wasm_grpc.pool.process import Greeting, WorkerProcess, exit_text

__all__ = ["Compiled", "compile_module", "greet", "start_compiler"]

_ARTIFACT_LIMIT_BYTES = 1 << 30
"""Native code is some 4 to 10 times its module; a module of 100 MiB still passes."""


async def greet(runtime: Runtime, settings: Settings) -> Greeting:
    """
    Learn the version and target of a runtime from a process that does nothing else.

    Raises:
        EngineUnavailableError: The interpreter lacks the engine.
        WorkerStartError: It can't be started.
    """
    worker = await start_compiler(runtime, settings)
    await worker.end()
    return worker.greeting


@dataclass(frozen=True, slots=True)
class Compiled:
    """
    What came of a module.

    Attributes:
        code: Its native code.
        minimum_bytes: The memory that each instance starts with.
    """

    code: bytes
    minimum_bytes: int


async def compile_module(
    wasm: bytes,
    *,
    guest: GuestKind,
    limits: Limits,
    code_memory_bytes: int,
    runtime: Runtime,
    settings: Settings,
) -> Compiled:
    """
    Check a module, write its limits into it and compile it, all in a process of its own.

    Args:
        wasm: The module.
        guest: Which interface it has to have.
        limits: The function's.
        code_memory_bytes: The limit on memory that is written; see `limit_in_code`.
        runtime: Engine and interpreter.
        settings: The limits of compiling.

    Raises:
        UnsupportedModuleError: Valid, but this engine lacks a feature; another may do.
        CompileLimitError: It took too long, or ended the process; that says nothing of the module alone.
        ModuleError: It can't be a function of this kind; one line a problem.
        WorkerStartError: The process can't be started.
    """
    worker = await start_compiler(runtime, settings)
    try:
        request = {
            "guest": guest.value,
            "memory_bytes": limits.memory_bytes,
            "code_memory_bytes": code_memory_bytes,
        }
        worker.connection.send(pack_json(Kind.COMPILE, request, wasm))
        frame = await asyncio.wait_for(worker.connection.receive(), settings.compile_s)
        if frame is None:
            raise CompileLimitError(_death(await worker.wait_exit(), settings))
    except asyncio.TimeoutError as exc:
        raise CompileLimitError(_too_slow(settings)) from exc
    finally:
        await worker.end()
    if frame.kind is Kind.COMPILED:
        return Compiled(frame.body, unpack_json(frame)["minimum_bytes"])
    if frame.kind is not Kind.REFUSED:
        raise WorkerStartError(f"compile process: sent {frame.kind.name}; expected COMPILED or REFUSED")
    head = unpack_json(frame)
    kind = UnsupportedModuleError if head["unsupported"] else ModuleError
    raise kind("\n".join(head["problems"]))


async def start_compiler(runtime: Runtime, settings: Settings) -> WorkerProcess:
    """
    Start a process that does one job under the limits of compiling.

    Raises:
        EngineUnavailableError: The interpreter lacks the engine.
        WorkerStartError: It can't be started.
    """
    return await WorkerProcess.start(
        runtime,
        memory_bytes=settings.compile_bytes,
        body_limit=_ARTIFACT_LIMIT_BYTES,
        # Compiling may use every core; the clock on the wall ends it first.
        cpu_s=math.ceil(settings.compile_s) * max(2, os.cpu_count() or 1),
        compiles=True,
    )


def _death(code: int, settings: Settings) -> str:
    return (
        f"compiling it ended the compile process ({exit_text(code)}); expected at most "
        f"{settings.compile_bytes >> 20} MiB of memory, which WASM_GRPC_COMPILE_BYTES raises"
    )


def _too_slow(settings: Settings) -> str:
    return (
        f"compiling it took longer than {settings.compile_s:g} s; "
        "expected less, or more time by WASM_GRPC_COMPILE_S"
    )
