"""Modules compiled on the engines of this machine, or found compiled."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from wasm_grpc.app.pictures import DecoderChecks
from wasm_grpc.artifacts.cache import Artifact, ArtifactCache, Refusal, artifact_key, default_cache_folder
from wasm_grpc.core.errors import (
    CompileLimitError,
    EngineUnavailableError,
    ModuleError,
    UnsupportedModuleError,
)
from wasm_grpc.core.memory_limits import check_minimum, limit_in_code
from wasm_grpc.core.model import EngineName, GuestKind, Limits
from wasm_grpc.core.pictures import PICTURES_IMPORT
from wasm_grpc.core.settings import Settings
from wasm_grpc.pool.bases import Bases
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
        bases: What compile processes are forked from.
        runtimes: The engines that are installed.
        on_compiled: Called with the name of each module that was compiled and not found compiled.
        decoders: Which of the engines can decode pictures.
    """

    settings: Settings
    cache: ArtifactCache
    bases: Bases
    runtimes: Mapping[EngineName, FoundRuntime]
    on_compiled: Callable[[str], None] = _ignore
    decoders: DecoderChecks = field(default_factory=DecoderChecks)

    async def compile(
        self, wasm: bytes, *, guest: GuestKind, limits: Limits, engine: EngineName, name: str = "module"
    ) -> Artifact:
        """
        Return a module's native code, from the cache if it is there.

        Raises:
            EngineUnavailableError: The engine is not available on this machine.
            UnsupportedModuleError: Another engine may accept it, or decode the pictures for which it asks.
            CompileLimitError: It took too much to compile. This is not cached, so the next call tries again.
            ModuleError: It can't be a function.
        """
        found = self.runtimes.get(engine)
        if found is None:
            available = " or ".join(each.value for each in self.runtimes)
            raise EngineUnavailableError(
                f"{engine.value} is not available on this machine; expected {available}"
            )
        artifact = await self._find_or_compile(wasm, guest, limits, found, name)
        if PICTURES_IMPORT in artifact.imports:
            await self.decoders.expect(found, self.bases, self.settings)
        return artifact

    async def _find_or_compile(
        self, wasm: bytes, guest: GuestKind, limits: Limits, found: FoundRuntime, name: str
    ) -> Artifact:
        code_memory_bytes = limit_in_code(
            limits.memory_bytes, is_set_by_instance=found.opened.limits_instances
        )
        key = artifact_key(
            wasm,
            engine=found.runtime.engine.value,
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
                bases=self.bases,
                settings=self.settings,
            )
        except UnsupportedModuleError as exc:
            await asyncio.to_thread(self.cache.put_refusal, key, str(exc))
            raise
        artifact = await asyncio.to_thread(
            self.cache.put,
            key,
            compiled.code,
            minimum_bytes=compiled.minimum_bytes,
            imports=compiled.imports,
        )
        self.on_compiled(name)
        return artifact

    async def compile_on_first(
        self, wasm: bytes, *, guest: GuestKind, limits: Limits, engines: Sequence[EngineName], name: str
    ) -> tuple[FoundRuntime, Artifact]:
        """
        Return a module's native code for the first of these engines that accepts it.

        Raises:
            EngineUnavailableError: None of them is available.
            ModuleError: None accepts it; one line for each reason.
        """

        async def compile_on(engine: EngineName) -> tuple[FoundRuntime, Artifact]:
            artifact = await self.compile(wasm, guest=guest, limits=limits, engine=engine, name=name)
            return self.runtimes[engine], artifact

        return await first_that_takes(engines, compile_on, name=name)


async def first_that_takes(
    engines: Sequence[EngineName], attempt: Callable[[EngineName], Awaitable[_T]], *, name: str
) -> _T:
    """
    Return the result of the first engine that accepts a module.

    Args:
        engines: The preferred first.
        attempt: Tries one engine. If it raises one of the errors below, the next engine is tried.
        name: The module's, for the log.

    Raises:
        EngineUnavailableError: None of them is available.
        ModuleError: None accepts it; one line for each reason.
    """
    unavailable: list[str] = []
    refusals: list[str] = []
    limits: list[str] = []
    for engine in engines:
        try:
            result = await attempt(engine)
        except EngineUnavailableError as exc:
            unavailable.append(str(exc))
        except UnsupportedModuleError as exc:
            refusals.append(f"{engine.value}: {exc}")
            _log.info("%s: %s refuses it: %s", name, engine.value, exc)
        except CompileLimitError as exc:
            refusals.append(f"{engine.value}: {exc}")
            limits.append(f"{engine.value}: {exc}")
        else:
            # A warning, because the module runs on another engine than it will after the next start.
            for line in limits:
                _log.warning("%s: %s; uses %s for this run", name, line, engine.value)
            return result
    if not refusals:
        # If no interpreter starts at all, each engine has the same line.
        raise EngineUnavailableError("; ".join(dict.fromkeys(unavailable)))
    raise ModuleError("\n".join(refusals))
