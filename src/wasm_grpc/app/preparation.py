"""From functions on disk to functions that a pool can run: an engine chosen, native code at hand."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from wasm_grpc.app.inference import Inspector
from wasm_grpc.core.errors import (
    CompileLimitError,
    EngineUnavailableError,
    ManifestError,
    ModuleError,
    UnsupportedModuleError,
)
from wasm_grpc.core.memory_limits import check_minimum, limit_in_code
from wasm_grpc.core.model import EngineName, GuestKind, Inference, Limits, Mount, PoolPolicy, WorkerFunction
from wasm_grpc.core.settings import Settings
from wasm_grpc.functions.artifacts import Artifact, ArtifactCache, Refusal, artifact_key, default_cache_folder
from wasm_grpc.functions.folder import Survey, by_folder
from wasm_grpc.functions.function import Function, read_module
from wasm_grpc.functions.later import later_features
from wasm_grpc.functions.manifest import FunctionManifest
from wasm_grpc.functions.models import read_inference
from wasm_grpc.functions.mounts import read_mounts
from wasm_grpc.pool.compiler import compile_module
from wasm_grpc.pool.functions import PoolFunction
from wasm_grpc.pool.runtimes import FoundRuntime, find_runtimes, wanted_engines

__all__ = [
    "Preparable",
    "Preparer",
    "engines_of",
    "find_preparable",
    "module_problems",
    "open_preparer",
    "pool_function",
]

_log = logging.getLogger("wasm_grpc.app")

_COMPILES_AT_ONCE = 2
"""Each may take 2 GiB (`Settings.compile_bytes`)."""


def engines_of(manifest: FunctionManifest, settings: Settings) -> tuple[EngineName, ...]:
    """
    Give the engines that a function may run on, the preferred first: the flag's, the manifest's, or all.
    """
    if settings.engine == "auto" and manifest.engine is not None:
        return (manifest.engine,)
    return wanted_engines(settings.engine)


def _ignore(_: object) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Preparer:
    """
    Compiles modules, or finds them compiled, on the engines of this machine.

    Attributes:
        settings: See `Settings`.
        cache: Where the native code is kept.
        runtimes: The engines that can be had.
        on_compiled: Called with the name of each module that was compiled and not found compiled.
        inspector: Tries models.
    """

    settings: Settings
    cache: ArtifactCache
    runtimes: Mapping[EngineName, FoundRuntime]
    on_compiled: Callable[[str], None]
    inspector: Inspector

    async def prepare(
        self,
        functions: Sequence[Function],
        on_ready: Callable[[Function], None] = _ignore,
        *,
        problems: Sequence[str] = (),
    ) -> tuple[PoolFunction, ...]:
        """
        Give each function on the first engine that takes it.

        Args:
            functions: What is to be served.
            on_ready: Called for each that is done, well or not.
            problems: What is known to be wrong already, to be told with the rest.

        Raises:
            ManifestError: These problems, and every module that no engine takes, with each reason.
        """
        gate = asyncio.Semaphore(_COMPILES_AT_ONCE)
        results = await asyncio.gather(*(self._prepare(function, gate, on_ready) for function in functions))
        found = [line for result in results if isinstance(result, ManifestError) for line in result.problems]
        if problems or found:
            raise ManifestError(by_folder([*problems, *found]))
        return tuple(result for result in results if isinstance(result, PoolFunction))

    async def compile(
        self, wasm: bytes, *, guest: GuestKind, limits: Limits, engine: EngineName, name: str = "module"
    ) -> Artifact:
        """
        Give a module's native code, from the cache where it is there.

        Raises:
            UnsupportedModuleError: Another engine may take it.
            CompileLimitError: It took too much to compile; kept nowhere, so that the next try is a new one.
            ModuleError: It can't be a function.
        """
        found = self.runtimes[engine]
        code_memory_bytes = limit_in_code(
            limits.memory_bytes, is_set_by_instance=found.greeting.limits_instances
        )
        key = artifact_key(
            wasm,
            engine=engine.value,
            version=found.greeting.version,
            target=found.greeting.target,
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
        Give a module's native code on the first of these engines that takes it.

        Raises:
            EngineUnavailableError: None of them can be had here.
            ModuleError: None takes it; one line a reason.
        """
        had = [engine for engine in engines if engine in self.runtimes]
        if not had:
            names = " or ".join(engine.value for engine in engines)
            raise EngineUnavailableError(f"{names} can't be had here; expected an engine that can")
        refusals: list[str] = []
        for engine in had:
            try:
                artifact = await self.compile(wasm, guest=guest, limits=limits, engine=engine, name=name)
            except UnsupportedModuleError as exc:
                refusals.append(f"{engine.value}: {exc}")
                _log.info("%s: %s refuses it: %s", name, engine.value, exc)
            except CompileLimitError as exc:
                refusals.append(f"{engine.value}: {exc}")
                if engine is not had[-1]:
                    _log.warning("%s: %s: %s; another engine is tried for this run", name, engine.value, exc)
            else:
                return self.runtimes[engine], artifact
        raise ModuleError("\n".join(refusals))

    async def _prepare(
        self, function: Function, gate: asyncio.Semaphore, on_ready: Callable[[Function], None]
    ) -> PoolFunction | ManifestError:
        prepared = await self._try_to_prepare(function, gate)
        on_ready(function)
        return prepared

    async def _try_to_prepare(
        self, function: Function, gate: asyncio.Semaphore
    ) -> PoolFunction | ManifestError:
        manifest = function.manifest
        try:
            wasm = await asyncio.to_thread(read_module, function)
            mounts = await asyncio.to_thread(read_mounts, function)
            inference = await asyncio.to_thread(read_inference, function)
            engines = await self.inspector.engines_for(inference, engines_of(manifest, self.settings))
            async with gate:
                found, artifact = await self.compile_on_first(
                    wasm,
                    guest=manifest.guest,
                    limits=manifest.limits,
                    engines=engines,
                    name=function.name,
                )
            inference = await self.inspector.inspect_function(function, inference, found.runtime.engine)
        except ManifestError as exc:
            return exc
        except EngineUnavailableError as exc:
            return ManifestError([function.blame(f"engine: {exc}")])
        except ModuleError as exc:
            return ManifestError(module_problems(function, exc))
        return pool_function(function, mounts, inference, artifact, found)


def module_problems(function: Function, error: ModuleError) -> list[str]:
    """
    Give each line of a module's error behind its file: ``<folder>/<file>: <problem>``.
    """
    file = f"{function.folder.name}/{function.manifest.module}"
    return [f"{file}: {line}" for line in str(error).splitlines()]


@dataclass(frozen=True, slots=True)
class Preparable:
    """
    The functions of a folder that can be prepared, and what is wrong with it so far.
    """

    functions: tuple[Function, ...]
    problems: tuple[str, ...]


def find_preparable(survey: Survey) -> Preparable:
    """
    Leave out what this version doesn't serve yet, and blame it.

    Raises:
        ManifestError: Nothing is left to prepare.
    """
    later = {function.name: later_features(function) for function in survey.functions}
    problems = tuple(by_folder([*survey.problems, *(line for lines in later.values() for line in lines)]))
    functions = tuple(function for function in survey.functions if not later[function.name])
    if problems and not functions:
        raise ManifestError(problems)
    return Preparable(functions, problems)


@contextlib.asynccontextmanager
async def open_preparer(
    engines: Iterable[EngineName],
    settings: Settings,
    on_compiled: Callable[[str], None] = _ignore,
    *,
    problems: Sequence[str] = (),
) -> AsyncIterator[Preparer]:
    """
    Find these engines, and the artifact cache. What was prepared can be loaded until the end.

    Raises:
        ManifestError: None of them can be had, and there are these problems, which are the first to mend.
        EngineUnavailableError: None of them can be had.
    """
    try:
        runtimes = await find_runtimes(tuple(dict.fromkeys(engines)), settings)
    except EngineUnavailableError as exc:
        if problems:
            raise ManifestError(problems) from exc
        raise
    folder = Path(settings.cache_dir) if settings.cache_dir else default_cache_folder(os.environ)
    with await asyncio.to_thread(ArtifactCache, folder) as cache:
        yield Preparer(settings, cache, runtimes, on_compiled, Inspector(settings, runtimes))


def pool_function(
    function: Function,
    mounts: tuple[Mount, ...],
    inference: Inference,
    artifact: Artifact,
    found: FoundRuntime,
) -> PoolFunction:
    """
    Put together what a pool must know of a function.
    """
    manifest = function.manifest
    worker_function = WorkerFunction(
        name=manifest.name,
        guest=manifest.guest,
        artifact=artifact.path,
        digest=artifact.digest,
        args=manifest.args,
        env=tuple((name, value) for name, value in manifest.env.items() if isinstance(value, str)),
        # Plain data from here on: the manifest's own class checks and renames what it is made of.
        limits=Limits(**asdict(manifest.limits)),
        mounts=mounts,
        inference=inference,
        prepared=manifest.pool.min > 0,
    )
    return PoolFunction(
        function=worker_function,
        runtime=found.runtime,
        policy=PoolPolicy(**asdict(manifest.pool)),
        code_bytes=artifact.size_bytes,
    )
