"""Which interpreter runs which engine: the order of search of the worker's interpreter."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wasm_grpc.core.errors import EngineUnavailableError, WasmGrpcError
from wasm_grpc.core.model import EngineName, Runtime
from wasm_grpc.core.settings import Settings
from wasm_grpc.core.wire import EngineOpened
from wasm_grpc.pool.bases import Bases

__all__ = ["FoundRuntime", "find_runtime", "find_runtimes", "wanted_engines"]

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


async def find_runtimes(
    engines: Sequence[EngineName], bases: Bases, settings: Settings
) -> dict[EngineName, FoundRuntime]:
    """
    Find an interpreter for each engine; one that has none is left out while another has.

    Raises:
        EngineUnavailableError: No engine can be had; says what was tried and the remedy.
    """
    results = await asyncio.gather(
        *(find_runtime(engine, bases, settings) for engine in engines), return_exceptions=True
    )
    found: dict[EngineName, FoundRuntime] = {}
    errors: list[WasmGrpcError] = []
    for engine, result in zip(engines, results, strict=True):
        if isinstance(result, FoundRuntime):
            found[engine] = result
            _log.info("engine %s: %s", engine.value, result)
        elif isinstance(result, WasmGrpcError):
            errors.append(result)
        else:
            raise result
    if not found:
        # An interpreter that can't be started gives the same line for each engine.
        raise EngineUnavailableError("; ".join(dict.fromkeys(map(str, errors))))
    for error in errors:
        _log.info("%s serves alone: %s", ", ".join(map(str, found.values())), error)
    return found


async def find_runtime(engine: EngineName, bases: Bases, settings: Settings) -> FoundRuntime:
    """
    Find an interpreter for one engine, and open its base.

    Raises:
        EngineUnavailableError: None has it; says what was tried and the remedy.
        WorkerStartError: The first that should have it can't be started.
    """
    tried: list[WasmGrpcError] = []
    for python in await asyncio.to_thread(_candidates, engine, settings.worker_python):
        runtime = Runtime(engine, python)
        try:
            return FoundRuntime(runtime, await bases.open(runtime))
        except WasmGrpcError as exc:
            tried.append(exc)
    if tried:
        # The first is the one that a person would fix. The errors of fallbacks would hide the cause.
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
    # Not `Path.exists`, which raises an error if this user may not look there: it is only a candidate.
    if os.path.exists(beside):  # noqa: PTH110
        candidates.append(str(beside))
    return candidates


def _has_engine(engine: EngineName) -> bool:
    if engine is EngineName.WASMER and sys.version_info[:2] > _LAST_WASMER_PYTHON:
        return False
    return all(importlib.util.find_spec(package) for package in _PACKAGES[engine])
