"""From functions on disk to functions that a pool can run: an engine chosen, native code at hand."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import asdict, dataclass

from wasm_grpc.app.compilation import ModuleCompiler, open_cache
from wasm_grpc.app.inference import Inspector
from wasm_grpc.artifacts.cache import Artifact
from wasm_grpc.catalogue.folder import Survey, by_folder
from wasm_grpc.catalogue.function import Function, read_module
from wasm_grpc.catalogue.unsupported import unsupported_features
from wasm_grpc.core.errors import (
    EngineUnavailableError,
    InferenceUnavailableError,
    ManifestError,
    ModelError,
    ModuleError,
)
from wasm_grpc.core.model import EngineName, Grants, Limits, PoolPolicy, WorkerFunction
from wasm_grpc.core.settings import Settings
from wasm_grpc.grants.function import model_problem, read_grants
from wasm_grpc.manifest.tables import FunctionManifest
from wasm_grpc.pool.bases import Bases, open_bases
from wasm_grpc.pool.functions import PoolFunction
from wasm_grpc.pool.runtimes import FoundRuntime, find_runtimes, wanted_engines

__all__ = [
    "Preparable",
    "Preparer",
    "engines_of",
    "engines_with_inference",
    "find_preparable",
    "inspect_models",
    "module_problems",
    "open_preparer",
    "pool_function",
]

_log = logging.getLogger("wasm_grpc.app")

_COMPILES_AT_ONCE = 2
"""Each may take 2 GiB (`Settings.compile_bytes`)."""


def engines_of(manifest: FunctionManifest, settings: Settings) -> tuple[EngineName, ...]:
    """
    Return the engines that a function may run on, the preferred first: the flag's, the manifest's, or all.
    """
    if settings.engine == "auto" and manifest.engine is not None:
        return (manifest.engine,)
    return wanted_engines(settings.engine)


def _ignore(_: object) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Preparer:
    """
    Makes functions ready to be served: files read, models tried, modules compiled.

    Attributes:
        settings: See `Settings`.
        bases: What all processes are forked from.
        compiler: Knows the engines that are installed.
        inspector: Tries models.
    """

    settings: Settings
    bases: Bases
    compiler: ModuleCompiler
    inspector: Inspector

    async def prepare(
        self,
        functions: Sequence[Function],
        on_ready: Callable[[Function], None] = _ignore,
        *,
        problems: Sequence[str] = (),
    ) -> tuple[PoolFunction, ...]:
        """
        Return each function on the first engine that takes it.

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
            grants = await asyncio.to_thread(read_grants, function)
            wanted = engines_of(manifest, self.settings)
            engines = await engines_with_inference(self.inspector, function, grants, wanted)
            async with gate:
                found, artifact = await self.compiler.compile_on_first(
                    wasm,
                    guest=manifest.guest,
                    limits=manifest.limits,
                    engines=engines,
                    name=function.name,
                )
            grants = await inspect_models(self.inspector, function, grants, found.runtime.engine)
        except ManifestError as exc:
            return exc
        except EngineUnavailableError as exc:
            return ManifestError([function.format_problem(f"engine: {exc}")])
        except ModuleError as exc:
            return ManifestError(module_problems(function, exc))
        return pool_function(function, grants, artifact, found)


async def engines_with_inference(
    inspector: Inspector, function: Function, grants: Grants, engines: Sequence[EngineName]
) -> tuple[EngineName, ...]:
    """
    Return those of the engines whose workers can run a function's models, as `Inspector.engines_for` does.

    Raises:
        ManifestError: None can.
    """
    try:
        return await inspector.engines_for(grants, engines)
    except InferenceUnavailableError as exc:
        raise ManifestError([function.format_problem(f"capabilities.nn: {exc}")]) from exc


async def inspect_models(
    inspector: Inspector, function: Function, grants: Grants, engine: EngineName
) -> Grants:
    """
    Try every model of a function, and return its grants, as `Inspector.inspect` does.

    Raises:
        ManifestError: Some can't be run.
    """

    def format_problem(name: str, error: ModelError) -> str:
        return model_problem(function, name, error)

    return await inspector.inspect(grants, engine, format_problem)


def module_problems(function: Function, error: ModuleError) -> list[str]:
    """
    Return each line of a module's error behind its file: ``<folder>/<file>: <problem>``.
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
    later = {function.name: unsupported_features(function) for function in survey.functions}
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
        ManifestError: None of them is installed, and there are these problems, which come first.
        EngineUnavailableError: None of them is installed.
    """
    async with open_bases() as bases, open_cache(settings) as cache:
        try:
            runtimes = await find_runtimes(tuple(dict.fromkeys(engines)), bases, settings)
        except EngineUnavailableError as exc:
            if problems:
                raise ManifestError(problems) from exc
            raise
        compiler = ModuleCompiler(settings, cache, bases, runtimes, on_compiled)
        yield Preparer(settings, bases, compiler, Inspector(settings, bases, runtimes))


def pool_function(
    function: Function, grants: Grants, artifact: Artifact, found: FoundRuntime
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
        imports=artifact.imports,
        args=() if isinstance(manifest.args, str) else manifest.args,
        takes_query=manifest.args == "query",
        env=tuple((name, value) for name, value in manifest.env.items() if isinstance(value, str)),
        # Plain data from here on: the manifest's own class checks and renames what it is made of.
        limits=Limits(**asdict(manifest.limits)),
        grants=grants,
        prepared=manifest.pool.min > 0,
        reuse=manifest.pool.reuse,
        max_invocations=manifest.pool.max_invocations,
    )
    return PoolFunction(
        function=worker_function,
        runtime=found.runtime,
        policy=PoolPolicy(**asdict(manifest.pool)),
        code_bytes=artifact.size_bytes,
        has_secrets=bool(function.secrets),
    )
