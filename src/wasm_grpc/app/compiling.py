"""The artifact cache filled ahead: every function compiled as a server would, and kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from pathlib import Path

from wasm_grpc.app.preparation import Preparer, engines_of, find_preparable, open_preparer
from wasm_grpc.catalogue.folder import survey_functions
from wasm_grpc.catalogue.function import Function
from wasm_grpc.core.errors import HostError
from wasm_grpc.core.settings import Settings
from wasm_grpc.pool.functions import PoolFunction

__all__ = ["CompiledFunction", "compile_functions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledFunction:
    """
    A function whose native code is in the cache.

    Attributes:
        name: The function's.
        engine: The one that a server would run it on, with version and interpreter.
        size_bytes: Of the file in the cache.
        is_new: It was compiled now; else it was there.
    """

    name: str
    engine: str
    size_bytes: int
    is_new: bool


async def compile_functions(
    folder: Path, settings: Settings, on_ready: Callable[[int, int, str], None]
) -> list[CompiledFunction]:
    """
    Fill the cache with what `serve` would compile.

    Args:
        folder: See `survey_functions`.
        settings: See `Settings`.
        on_ready: Called for each function that is done, with how many are, of how many, and its name.

    Raises:
        ManifestError: A function can't be served, or no engine takes its module.
        HostError: The cache can't be written.
    """
    preparable = find_preparable(survey_functions(folder, settings.only))
    functions = preparable.functions
    new: set[str] = set()
    count = 0

    def advance(function: Function) -> None:
        nonlocal count
        count += 1
        on_ready(count, len(functions), function.name)

    engines = (engine for each in functions for engine in engines_of(each.manifest, settings))
    async with open_preparer(engines, settings, new.add, problems=preparable.problems) as preparer:
        prepared = await preparer.prepare(functions, on_ready=advance, problems=preparable.problems)
        if not preparer.compiler.cache.is_kept:
            raise HostError("artifact cache: can't be written, so nothing was kept; expected a folder for it")
        return await asyncio.to_thread(_report, prepared, preparer, new)


def _report(
    prepared: Sequence[PoolFunction], preparer: Preparer, new: Container[str]
) -> list[CompiledFunction]:
    return [
        CompiledFunction(
            name=each.function.name,
            engine=str(preparer.compiler.runtimes[each.runtime.engine]),
            size_bytes=Path(each.function.artifact).stat().st_size,
            is_new=each.function.name in new,
        )
        for each in prepared
    ]
