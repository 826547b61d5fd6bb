"""The compile process seen from the server: a module goes in; code, problems or a description come out."""

from __future__ import annotations

import asyncio
import math
import os
from typing import TypeVar

from wasm_grpc.core.artifact import code_limit_bytes
from wasm_grpc.core.errors import CompileLimitError, ModuleError, ProtocolError, UnsupportedModuleError
from wasm_grpc.core.model import MIB, PAGE_BYTES, GuestKind, Limits, Runtime
from wasm_grpc.core.settings import Settings
from wasm_grpc.core.wire import Compile, Compiled, CompileRefused, Describe, Described, ForkJob, Message
from wasm_grpc.pool.bases import Bases
from wasm_grpc.pool.memory import held_bytes
from wasm_grpc.pool.process import exit_text
from wasm_grpc.pool.session import CONTROL_BYTES, ProcessEnded, Session

__all__ = ["ask_watched", "compile_module", "describe_module", "fork_compiler"]

_Answer = TypeVar("_Answer", Compiled, Described)

_A = TypeVar("_A", bound=Message)
_B = TypeVar("_B", bound=Message)
_OWN_BYTES = 128 * MIB
"""What a compile process may hold besides: its interpreter, engine and backend take some 60 MiB."""
_LOOK_S = 0.5
"""The time between two looks at how much memory it holds."""


async def compile_module(
    wasm: bytes,
    *,
    guest: GuestKind,
    limits: Limits,
    code_memory_bytes: int,
    runtime: Runtime,
    bases: Bases,
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
        bases: What the process is forked from.
        settings: The limits of compiling.

    Raises:
        UnsupportedModuleError: Valid, but this engine lacks a feature; another may do.
        CompileLimitError: It took too long, ended the process, or had it break the protocol. That says
            nothing of the module alone.
        ModuleError: It can't be a function of this kind; one line a problem.
        WorkerStartError: The process can't be started.
    """
    task = Compile(
        guest=guest, memory_bytes=limits.memory_bytes, code_memory_bytes=code_memory_bytes, module=wasm
    )
    answer = await _ask(task, Compiled, runtime, bases, settings, body_limit=code_limit_bytes(len(wasm)))
    if isinstance(answer, Compiled):
        _check_minimum(answer.minimum_bytes, limits)
        return answer
    kind = UnsupportedModuleError if answer.is_unsupported else ModuleError
    raise kind("\n".join(answer.problems))


async def describe_module(wasm: bytes, *, runtime: Runtime, bases: Bases, settings: Settings) -> Described:
    """
    Return what a module is, from its imports and exports.

    Raises:
        CompileLimitError: As `compile_module`.
        ModuleError: It can't be read.
        WorkerStartError: As `compile_module`.
    """
    answer = await _ask(Describe(wasm), Described, runtime, bases, settings)
    if isinstance(answer, Described):
        return answer
    raise ModuleError("\n".join(answer.problems))


async def fork_compiler(
    runtime: Runtime, bases: Bases, settings: Settings, *, body_limit: int = CONTROL_BYTES
) -> Session:
    """
    Return a process that does one job under the limits of compiling.

    Args:
        runtime: Engine and interpreter.
        bases: What the process is forked from.
        settings: The limits of compiling.
        body_limit: The longest frame body that is taken from it.

    Raises:
        EngineUnavailableError: The interpreter lacks the engine.
        WorkerStartError: It can't be started.
    """
    return await bases.fork(
        runtime,
        ForkJob.COMPILER,
        memory_bytes=settings.compile_bytes,
        body_limit=body_limit,
        # Compiling may use every core. The limit on wall time ends it first.
        cpu_s=math.ceil(settings.compile_s) * max(2, os.cpu_count() or 1),
    )


async def _ask(
    task: Compile | Describe,
    expected: type[_Answer],
    runtime: Runtime,
    bases: Bases,
    settings: Settings,
    *,
    body_limit: int = CONTROL_BYTES,
) -> _Answer | CompileRefused:
    try:
        async with await fork_compiler(runtime, bases, settings, body_limit=body_limit) as session:
            return await ask_watched(session, task, (expected, CompileRefused), settings)
    except ProcessEnded as exc:
        raise CompileLimitError(_death(exc.code, settings)) from exc
    except asyncio.TimeoutError as exc:
        raise CompileLimitError(_too_slow(settings)) from exc
    except ProtocolError as exc:
        raise CompileLimitError(f"the process that compiled it broke the protocol: {exc}") from exc


def _check_minimum(minimum_bytes: int, limits: Limits) -> None:
    """
    Check what a compile process, which may have been taken over, says of a module's initial memory.
    """
    if minimum_bytes < 0 or minimum_bytes % PAGE_BYTES or minimum_bytes > limits.memory_bytes:
        raise CompileLimitError(
            f"the process that compiled it broke the protocol: initial memory of {minimum_bytes} bytes; "
            f"expected whole pages, at most {limits.memory_bytes}"
        )


async def ask_watched(
    session: Session,
    task: Message,
    answers: tuple[type[_A], type[_B]],
    settings: Settings,
    *,
    mapped_bytes: int = 0,
) -> _A | _B:
    """
    Have a process do its one job within the limits of compiling, and return its answer.

    It is killed if it holds more memory than its limit: ``RLIMIT_DATA`` does not count all of it.

    Args:
        session: From `fork_compiler`.
        task: The job.
        answers: What it may answer.
        settings: The limits of compiling.
        mapped_bytes: Size of the files that it maps.

    Raises:
        asyncio.TimeoutError, ProcessEnded, ProtocolError: See `Session.ask`.
    """
    limit_bytes = settings.compile_bytes + _OWN_BYTES + mapped_bytes
    watch = asyncio.create_task(_end_at(limit_bytes, session), name="watch a compile process")
    try:
        return await session.ask(task, answers, within_s=settings.compile_s)
    finally:
        watch.cancel()


async def _end_at(limit_bytes: int, session: Session) -> None:
    while held_bytes(session.process.pid) <= limit_bytes:  # noqa: ASYNC110 - no event tells
        await asyncio.sleep(_LOOK_S)
    session.process.kill()


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
