"""A server from its settings to its end: read, prepare, wait for the sidecar, listen, drain."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from wasm_grpc.app.observing import open_observers
from wasm_grpc.app.preparation import Preparer, engines_of, find_preparable, open_preparer
from wasm_grpc.catalogue.folder import survey_functions
from wasm_grpc.catalogue.routes import make_catalogue
from wasm_grpc.core.errors import ConfigError
from wasm_grpc.core.heap import keep_freed_memory
from wasm_grpc.core.machine import machine_memory_bytes
from wasm_grpc.core.settings import Settings
from wasm_grpc.core.walls import Wall, describe_missing
from wasm_grpc.pool.functions import PoolFunction, memory_notes
from wasm_grpc.pool.pool import open_pool
from wasm_grpc.server.address import check_address

__all__ = ["serve"]

_log = logging.getLogger("wasm_grpc.app")


async def serve(folder: Path, settings: Settings, announce: Callable[[str], None]) -> None:
    """
    Serve the functions below `folder` until SIGTERM or SIGINT, then drain.

    A signal that comes before it serves ends it at once.

    Args:
        folder: See `survey_functions`.
        settings: See `Settings`.
        announce: Called once with the line that says what is served where.

    Raises:
        WasmGrpcError: It can't be served; whatever was started is ended.
    """
    keep_freed_memory()
    with _stop_signals() as signals:
        try:
            await _serve(folder, settings, announce, signals)
        except asyncio.CancelledError:
            if not signals.first.is_set():
                raise
    _log.info("stopped")


async def _serve(
    folder: Path, settings: Settings, announce: Callable[[str], None], signals: _Signals
) -> None:
    await asyncio.to_thread(check_address, settings.host, settings.port)
    server_import = asyncio.ensure_future(asyncio.to_thread(_import_server))
    survey = await asyncio.to_thread(survey_functions, folder, settings.only)
    if not survey.problems:
        # A wrong --route is told before anything is compiled.
        make_catalogue(survey.functions, settings.routes)
    preparable = find_preparable(survey)
    functions = preparable.functions
    engines = (engine for each in functions for engine in engines_of(each.manifest, settings))
    async with contextlib.AsyncExitStack() as stack:
        observers = await stack.enter_async_context(open_observers(settings))
        preparer = await stack.enter_async_context(
            open_preparer(engines, settings, problems=preparable.problems)
        )
        _check_walls(preparer, settings)
        prepared = await preparer.prepare(functions, problems=preparable.problems)
        for note in memory_notes(prepared, settings, machine_memory_bytes()):
            _log.warning("%s", note)
        if any(function.secrets for function in functions):
            # Before the pool, whose workers get the environment when they load a function. Without secrets
            # the pool doesn't wait for the import of gRPC.
            await server_import
            from wasm_grpc.app.secrets import with_secrets  # noqa: PLC0415 - see `_import_server`

            prepared = await with_secrets(functions, prepared, settings)
        pool = await stack.enter_async_context(open_pool(prepared, settings, preparer.bases, observers))
        await server_import
        from wasm_grpc.app.opening import open_server  # noqa: PLC0415 - see `_import_server`

        edge = await stack.enter_async_context(open_server(functions, pool, observers, settings))
        announce(_announcement(edge.address, len(functions), preparer, prepared, settings))
        signals.starting = None
        await signals.first.wait()
        _log.info("draining for at most %g s; a second signal ends at once", settings.drain_s)
        await edge.drain(seconds=settings.drain_s, force=signals.second)


def _check_walls(preparer: Preparer, settings: Settings) -> None:
    """
    Warn of walls around workers that the kernel lacks.

    Raises:
        ConfigError: There are such, and the settings require all.
    """
    opened = [found.opened for found in preparer.compiler.runtimes.values()]
    missing = [wall for wall in Wall if any(wall in each.missing_walls for each in opened)]
    if not missing:
        return
    if settings.require_sandbox:
        raise ConfigError(f"require_sandbox: {describe_missing(missing)}")
    _log.warning("%s", describe_missing(missing))


def _import_server() -> None:
    """
    Import gRPC and Dapr's messages on a thread, which takes a third of a start, while the engines open.
    """
    import wasm_grpc.app.opening  # noqa: PLC0415
    import wasm_grpc.app.secrets  # noqa: F401, PLC0415


def _announcement(
    address: str, count: int, preparer: Preparer, prepared: Sequence[PoolFunction], settings: Settings
) -> str:
    engines = sorted({str(preparer.compiler.runtimes[each.runtime.engine]) for each in prepared})
    return (
        f"serving {address} ({_counted(count, 'function')}, {' and '.join(engines)}, "
        f"{_counted(settings.workers, 'worker')})"
    )


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


@dataclass(slots=True)
class _Signals:
    """
    The first asks for a drain, the second for the end; before anything is served the first cancels.
    """

    first: asyncio.Event
    second: asyncio.Event
    starting: asyncio.Task[object] | None

    def arrive(self) -> None:
        (self.second if self.first.is_set() else self.first).set()
        if self.starting is not None:
            self.starting.cancel()


@contextlib.contextmanager
def _stop_signals() -> Iterator[_Signals]:
    signals = _Signals(asyncio.Event(), asyncio.Event(), asyncio.current_task())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, signals.arrive)
    try:
        yield signals
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
