"""What a module is, asked of a compile process; and all of that for a file without a manifest."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from wasm_grpc.app.preparation import Preparer, open_preparer
from wasm_grpc.core.errors import ConfigError, ModuleError
from wasm_grpc.core.model import Limits
from wasm_grpc.core.settings import Settings
from wasm_grpc.core.wire import Described
from wasm_grpc.pool.compiler import describe_module
from wasm_grpc.pool.runtimes import wanted_engines

__all__ = ["FileReport", "check_file", "describe_readable"]


@dataclass(frozen=True, slots=True)
class FileReport:
    """
    What was found of a WebAssembly file.

    Attributes:
        module: What it is.
        engines: Those that take it, with version and interpreter.
        problems: Why the others don't, or why no guest interface calls it.
    """

    module: Described
    engines: tuple[str, ...]
    problems: tuple[str, ...]


async def check_file(path: Path, settings: Settings) -> FileReport:
    """
    Say what a WebAssembly file is, and compile it on every installed engine.

    Raises:
        ConfigError: It can't be read, or no engine is installed.
        ModuleError: It is no module.
    """
    try:
        wasm = await asyncio.to_thread(path.read_bytes)
    except OSError as exc:
        raise ConfigError(f"{path}: {exc.strerror}; expected a WebAssembly file") from exc
    engines = wanted_engines(settings.engine)
    async with open_preparer(engines, settings) as preparer:
        try:
            module = await _describe(wasm, preparer)
        except ModuleError as exc:
            raise ModuleError(f"{path}: {exc}") from exc
        if module.guest is None:
            return FileReport(module, (), (module.problem,))
        takers: list[str] = []
        problems: list[str] = []
        for engine, found in preparer.compiler.runtimes.items():
            try:
                await preparer.compiler.compile(
                    wasm, guest=module.guest, limits=Limits(), engine=engine, name=path.name
                )
            except ModuleError as exc:
                problems += [f"{engine.value}: {line}" for line in str(exc).splitlines()]
            else:
                takers.append(str(found))
    return FileReport(module, tuple(takers), tuple(problems))


async def describe_readable(wasm: bytes, preparer: Preparer) -> Described | None:
    """
    Return what a module is; ``None`` if it can't be read, which compiling it reports.
    """
    try:
        return await _describe(wasm, preparer)
    except ModuleError:
        return None


async def _describe(wasm: bytes, preparer: Preparer) -> Described:
    # Any engine's interpreter does: none of its engine is used.
    runtime = next(iter(preparer.compiler.runtimes.values())).runtime
    return await describe_module(wasm, runtime=runtime, bases=preparer.bases, settings=preparer.settings)
