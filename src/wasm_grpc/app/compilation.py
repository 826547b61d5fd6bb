"""Modules compiled on the engines of this machine, or found compiled."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from wasm_grpc.artifacts.cache import Artifact, ArtifactCache, Refusal, artifact_key, default_cache_folder
from wasm_grpc.core.errors import (
    CompileLimitError,
    EngineUnavailableError,
    ModuleError,
    UnsupportedModuleError,
)
from wasm_grpc.core.memory_limits import check_minimum, limit_in_code
from wasm_grpc.core.model import EngineName, GuestKind, Limits
from wasm_grpc.core.settings import Settings
from wasm_grpc.pool.compiler import compile_module
from wasm_grpc.pool.runtimes import FoundRuntime

__all__ = ["ModuleCompiler", "first_that_takes", "open_cache"]

_T = TypeVar("_T")

_log = logging.getLogger("wasm_grpc.app")


def _ignore(_: str) -> None:
    return None


@contextlib.asynccontextmanager
async def open_cache(settings: Settings) -> AsyncIterator[ArtifactCache]:
    """
    Open the artifact cache. What is compiled can be loaded until the end.
    """
    folder = Path(settings.cache_dir) if settings.cache_dir else default_cache_folder(os.environ)
    with await asyncio.to_thread(ArtifactCache, folder) as cache:
        yield cache


@dataclass(frozen=True, slots=True)
class ModuleCompiler:
    """
    Compiles modules, or finds them compiled, on the engines of this machine.

    Attributes:
        settings: See `Settings`.
        cache: Where the native code is kept.
        runtimes: The engines that are installed.
        on_compiled: Called with the name of each module that was compiled and not found compiled.
    """

    settings: Settings
    cache: ArtifactCache
    runtimes: Mapping[EngineName, FoundRuntime]
    on_compiled: Callable[[str], None] = _ignore

    async def compile(
        self, wasm: bytes, *, guest: GuestKind, limits: Limits, engine: EngineName, name: str = "module"
    ) -> Artifact:
        """
        Return a module's native code, from the cache where it is there.

        Raises:
            UnsupportedModuleError: Another engine may take it.
            CompileLimitError: It took too much to compile; kept nowhere, so that the next try is a new one.
            ModuleError: It can't be a function.
        """
        found = self.runtimes[engine]
        code_memory_bytes = limit_in_code(
            limits.memory_bytes, is_set_by_instance=found.opened.limits_instances
        )
        key = artifact_key(
            wasm,
            engine=engine.value,
            version=found.opened.version,
            target=found.opened.target,
            settings={"guest": guest.value, "memory_bytes": code_memory_bytes},
        )
        cached = await asyncio.to_thread(self.cache.get, key)
        if isinstance(cached, Artifact):
            # The code may have been compiled for a larger limit.
            check_minimum(cached.minimum_bytes, limits.memory_bytes)
            return cached
        if isinstance(cached, Refusal):
            raise UnsupportedModuleError(cached.message)
        _log.info("compiling %s (%d KiB) for %s", name, len(wasm) // 1024, found)
        try:
            compiled = await compile_module(
                wasm,
                guest=guest,
                limits=limits,
                code_memory_bytes=code_memory_bytes,
                runtime=found.runtime,
                settings=self.settings,
            )
        except UnsupportedModuleError as exc:
            await asyncio.to_thread(self.cache.put_refusal, key, str(exc))
            raise
        artifact = await asyncio.to_thread(
            self.cache.put, key, compiled.code, minimum_bytes=compiled.minimum_bytes
        )
        self.on_compiled(name)
        return artifact

    async def compile_on_first(
        self, wasm: bytes, *, guest: GuestKind, limits: Limits, engines: Sequence[EngineName], name: str
    ) -> tuple[FoundRuntime, Artifact]:
        """
        Return a module's native code on the first of these engines that takes it.

        Raises:
            EngineUnavailableError: None of them is installed.
            ModuleError: None takes it; one line a reason.
        """
        had = [engine for engine in engines if engine in self.runtimes]
        if not had:
            names = " or ".join(engine.value for engine in engines)
            raise EngineUnavailableError(f"{names} can't be had here; expected an engine that can")

        async def compile_on(engine: EngineName) -> tuple[FoundRuntime, Artifact]:
            artifact = await self.compile(wasm, guest=guest, limits=limits, engine=engine, name=name)
            return self.runtimes[engine], artifact

        return await first_that_takes(had, compile_on, name=name)


async def first_that_takes(
    engines: Sequence[EngineName], attempt: Callable[[EngineName], Awaitable[_T]], *, name: str
) -> _T:
    """
    Return what came of the first engine that takes a module.

    Args:
        engines: The preferred first.
        attempt: Tries one; what it raises of the errors below is a reason to try the next.
        name: The module's, for the log.

    Raises:
        EngineUnavailableError: None of them is installed.
        ModuleError: None takes it; one line a reason.
    """
    refusals: list[str] = []
    lacks: list[str] = []
    for engine in engines:
        try:
            return await attempt(engine)
        except EngineUnavailableError as exc:
            lacks.append(str(exc))
        except UnsupportedModuleError as exc:
            refusals.append(f"{engine.value}: {exc}")
            _log.info("%s: %s refuses it: %s", name, engine.value, exc)
        except CompileLimitError as exc:
            refusals.append(f"{engine.value}: {exc}")
            if engine is not engines[-1]:
                _log.warning("%s: %s: %s; another engine is tried for this run", name, engine.value, exc)
    if not refusals:
        # An interpreter that can't be started at all is the same line for each engine.
        raise EngineUnavailableError("; ".join(dict.fromkeys(lacks)))
    raise ModuleError("\n".join(refusals))
