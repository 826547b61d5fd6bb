"""Every manifest and module of a folder, tried on every installed engine."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from wasm_grpc.app.describing import describe_readable
from wasm_grpc.app.preparation import (
    Preparer,
    engines_of,
    engines_with_inference,
    inspect_models,
    module_problems,
    open_preparer,
    pool_function,
)
from wasm_grpc.catalogue.calls import missing_calls
from wasm_grpc.catalogue.folder import survey_functions
from wasm_grpc.catalogue.function import Function, read_module
from wasm_grpc.catalogue.needs import sidecar_needs
from wasm_grpc.catalogue.routes import make_catalogue
from wasm_grpc.catalogue.unsupported import unsupported_features
from wasm_grpc.core.errors import (
    CompileLimitError,
    ManifestError,
    ModuleError,
    UnsupportedModuleError,
)
from wasm_grpc.core.machine import machine_memory_bytes
from wasm_grpc.core.model import EngineName, Grants
from wasm_grpc.core.settings import Settings
from wasm_grpc.core.wire import Described
from wasm_grpc.grants.function import read_grants
from wasm_grpc.pool.functions import PoolFunction, memory_notes

__all__ = ["FolderReport", "FunctionReport", "check"]


@dataclass(frozen=True, slots=True)
class FunctionReport:
    """
    What was found of one function.

    Attributes:
        name: The function's.
        engines: Those that take its module, with version and interpreter.
        problems: Lines that keep it from being served.
        notes: Lines that don't: an engine that refuses it while another takes it, keys for
            later, what the sidecar must have, functions that the module lacks.
        module: What its module is; ``None`` if it can't be read.
    """

    name: str
    engines: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    module: Described | None = None


@dataclass(frozen=True, slots=True)
class FolderReport:
    """
    What was found of a folder.

    Attributes:
        functions: Its functions, by their folders' names.
        notes: Lines that concern them together.
    """

    functions: tuple[FunctionReport, ...]
    notes: tuple[str, ...]


async def check(folder: Path, settings: Settings) -> FolderReport:
    """
    Check every function below a folder.

    Raises:
        ManifestError: No manifest and module is right.
        ConfigError: There is nothing to check, or no engine is installed.
    """
    survey = await asyncio.to_thread(survey_functions, folder, settings.only)
    functions = survey.functions
    if survey.problems and not functions:
        raise ManifestError(survey.problems)
    if not survey.problems:
        make_catalogue(functions, settings.routes)
    problems: dict[str, list[str]] = {}
    for line in survey.problems:
        problems.setdefault(line.split("/", 1)[0], []).append(line)
    engines = (engine for each in functions for engine in engines_of(each.manifest, settings))
    async with open_preparer(engines, settings, problems=survey.problems) as preparer:
        checked = {function.folder.name: await _check_function(function, preparer) for function in functions}
    reports = {place: report for place, (report, _) in checked.items()}
    servable = [prepared for _, prepared in checked.values() if prepared is not None]
    notes = memory_notes(servable, settings, machine_memory_bytes())
    for place, lines in problems.items():
        report = reports.get(place, FunctionReport(place))
        reports[place] = replace(report, problems=(*lines, *report.problems))
    return FolderReport(tuple(reports[place] for place in sorted(reports)), tuple(notes))


async def _check_function(
    function: Function, preparer: Preparer
) -> tuple[FunctionReport, PoolFunction | None]:
    """
    Return what was found, and the function on the first engine that takes it, as a server would run it.
    """
    notes = (*unsupported_features(function), *sidecar_needs(function))
    if function.is_remote:
        return FunctionReport(function.name, notes=notes), None
    try:
        wasm = await asyncio.to_thread(read_module, function)
        grants = await asyncio.to_thread(read_grants, function)
        engines = await engines_with_inference(
            preparer.inspector, function, grants, engines_of(function.manifest, preparer.settings)
        )
    except ManifestError as exc:
        return FunctionReport(function.name, problems=exc.problems, notes=notes), None
    trial = await _try_engines(function, wasm, grants, engines, preparer)
    module = await describe_readable(wasm, preparer)
    # What can be called is told only of a guest that some engine takes.
    missing = missing_calls(function, module.calls) if module is not None and trial.takers else ()
    report = FunctionReport(
        function.name,
        tuple(trial.takers),
        (*trial.problems, *(() if trial.takers else trial.refusals)),
        (*(trial.refusals if trial.takers else ()), *notes, *missing),
        module,
    )
    return report, trial.prepared


@dataclass(slots=True)
class _Trial:
    """
    What came of compiling a function's module on each engine.

    Attributes:
        takers: The engines that take it, with version and interpreter.
        refusals: Lines of those that don't, while another may.
        problems: Lines that are no engine's matter. The same line of two engines is said once.
        prepared: The function on the first engine that takes it.
    """

    takers: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    problems: dict[str, None] = field(default_factory=dict)
    prepared: PoolFunction | None = None


async def _try_engines(
    function: Function, wasm: bytes, grants: Grants, engines: Sequence[EngineName], preparer: Preparer
) -> _Trial:
    trial = _Trial()
    for engine in engines:
        found = preparer.compiler.runtimes.get(engine)
        if found is None:
            continue
        try:
            inspected = await inspect_models(preparer.inspector, function, grants, engine)
            artifact = await preparer.compiler.compile(
                wasm,
                guest=function.manifest.guest,
                limits=function.manifest.limits,
                engine=engine,
                name=function.name,
            )
        except (UnsupportedModuleError, CompileLimitError) as exc:
            trial.refusals += module_problems(function, ModuleError(f"{engine.value}: {exc}"))
        except ManifestError as exc:
            trial.problems.update(dict.fromkeys(exc.problems))
        except ModuleError as exc:
            trial.problems.update(dict.fromkeys(module_problems(function, exc)))
        else:
            trial.takers.append(str(found))
            trial.prepared = trial.prepared or pool_function(function, inspected, artifact, found)
    return trial
