"""Which interpreter runs which engine: the order of search of the worker's interpreter."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from wasm_grpc.core.errors import EngineUnavailableError, WasmGrpcError
from wasm_grpc.core.model import EngineName, Runtime
from wasm_grpc.core.settings import Settings
from wasm_grpc.core.wire import EngineOpened
from wasm_grpc.pool.compiler import greet
from wasm_grpc.pool.session import Session

__all__ = ["FoundRuntime", "find_runtimes", "start_worker", "wanted_engines"]

_T = TypeVar("_T")

_log = logging.getLogger("wasm_grpc.pool")

_PACKAGES = {
    EngineName.WASMER: ("wasmer", "wasmer_compiler_cranelift"),
    EngineName.WASMTIME: ("wasmtime",),
    EngineName.FAKE: (),
}
_REMEDIES = {
    EngineName.WASMER: "expected a CPython 3.10 with wasm-grpc[wasmer]: name it with --worker-python, "
    "or make it .venv-wasmer beside this environment (`make setup` does)",
    EngineName.WASMTIME: "expected wasm-grpc[wasmtime] in this environment, "
    "or --worker-python to name one that has it",
    EngineName.FAKE: "expected wasm-grpc",
}
_LAST_WASMER_PYTHON = (3, 10)
"""Wasmer 1.1.0 has wheels up to CPython 3.10; later ones get a stub that raises on import."""


@dataclass(frozen=True, slots=True)
class FoundRuntime:
    """
    A runtime that has opened its engine.
    """

    runtime: Runtime
    opened: EngineOpened

    def __str__(self) -> str:
        return f"{self.runtime.engine.value} {self.opened.version} on {self.opened.python}"


def wanted_engines(name: str) -> tuple[EngineName, ...]:
    """
    Return the engines to try, the preferred first; "auto" prefers Wasmer.
    """
    return (EngineName.WASMER, EngineName.WASMTIME) if name == "auto" else (EngineName(name),)


async def find_runtimes(engines: Sequence[EngineName], settings: Settings) -> dict[EngineName, FoundRuntime]:
    """
    Find an interpreter for each engine; one that has none is left out while another has.

    Raises:
        EngineUnavailableError: No engine can be had; says what was tried and the remedy.
        WorkerStartError: The interpreter that was named can't be started.
    """
    results = await asyncio.gather(*(_find(engine, settings) for engine in engines))
    found = {
        engine: result
        for engine, result in zip(engines, results, strict=True)
        if isinstance(result, FoundRuntime)
    }
    if not found:
        # An interpreter that can't be started at all is the same line for each engine.
        raise EngineUnavailableError("; ".join(dict.fromkeys(map(str, results))))
    for engine, result in zip(engines, results, strict=True):
        if isinstance(result, WasmGrpcError):
            _log.info("%s serves alone: %s", ", ".join(map(str, found.values())), result)
        else:
            _log.info("engine %s: %s", engine.value, result)
    return found


async def start_worker(
    engine: EngineName, settings: Settings, *, memory_bytes: int, body_limit: int
) -> tuple[FoundRuntime, Session]:
    """
    Start a worker under the first interpreter that has an engine.

    Args:
        engine: Which one.
        settings: Name the interpreter.
        memory_bytes: See `Session.start`.
        body_limit: See `Session.start`.

    Raises:
        EngineUnavailableError: None can be started; says what was tried and the remedy.
    """

    async def start(runtime: Runtime) -> Session:
        return await Session.start(runtime, memory_bytes=memory_bytes, body_limit=body_limit)

    try:
        runtime, session = await _first_that_starts(engine, settings, start)
    except WasmGrpcError as exc:
        raise EngineUnavailableError(str(exc)) from exc
    return FoundRuntime(runtime, session.opened), session


async def _find(engine: EngineName, settings: Settings) -> FoundRuntime | WasmGrpcError:
    async def start(runtime: Runtime) -> EngineOpened:
        return await greet(runtime, settings)

    try:
        return FoundRuntime(*await _first_that_starts(engine, settings, start))
    except WasmGrpcError as exc:
        return exc


async def _first_that_starts(
    engine: EngineName, settings: Settings, start: Callable[[Runtime], Awaitable[_T]]
) -> tuple[Runtime, _T]:
    tried: list[WasmGrpcError] = []
    for python in await asyncio.to_thread(_candidates, engine, settings.worker_python):
        runtime = Runtime(engine, python)
        try:
            return runtime, await start(runtime)
        except WasmGrpcError as exc:
            tried.append(exc)
    if tried:
        # The first is what a person would mend; a stopgap that fails too only blurs it.
        raise tried[0]
    raise EngineUnavailableError(f"engine {engine.value}: no interpreter has it; {_REMEDIES[engine]}")


def _candidates(engine: EngineName, named: str) -> list[str]:
    if named:
        # Not `Path.expanduser`, which fails for a user without a home.
        return [os.path.abspath(os.path.expanduser(named))]  # noqa: PTH100, PTH111
    candidates = []
    if _has_engine(engine):
        candidates.append(sys.executable)
    beside = Path(sys.prefix).parent / ".venv-wasmer" / "bin" / "python"
    # Not `Path.exists`, which fails where this user may not look: it is no more than a possibility.
    if os.path.exists(beside):  # noqa: PTH110
        candidates.append(str(beside))
    return candidates


def _has_engine(engine: EngineName) -> bool:
    if engine is EngineName.WASMER and sys.version_info[:2] > _LAST_WASMER_PYTHON:
        return False
    return all(importlib.util.find_spec(package) for package in _PACKAGES[engine])
