"""A server from its settings to its end: read, prepare, wait for the sidecar, listen, drain."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from wasm_grpc.app.preparation import Preparer, engines_of, find_preparable, open_preparer
from wasm_grpc.catalogue.folder import survey_functions
from wasm_grpc.catalogue.function import Function
from wasm_grpc.catalogue.routes import make_catalogue
from wasm_grpc.core.heap import keep_freed_memory
from wasm_grpc.core.machine import machine_memory_bytes
from wasm_grpc.core.observers import Observers
from wasm_grpc.core.settings import Settings
from wasm_grpc.dapr.sidecar import open_sidecar
from wasm_grpc.invocation.deployment import Deployment
from wasm_grpc.invocation.log_observer import LogObserver
from wasm_grpc.invocation.outputs import Outputs
from wasm_grpc.invocation.runner import Runner
from wasm_grpc.invocation.triggers.invoke import Invoker
from wasm_grpc.invocation.triggers.stream import Streams
from wasm_grpc.invocation.triggers.topic import Consumer
from wasm_grpc.pool.functions import PoolFunction, memory_notes
from wasm_grpc.pool.pool import open_pool
from wasm_grpc.server.answers import Answers
from wasm_grpc.server.callback import AppCallback, add_callbacks
from wasm_grpc.server.functions import Functions, add_functions
from wasm_grpc.server.listener import check_address, drain, listen, new_server
from wasm_grpc.server.reflection import add_reflection

__all__ = ["serve"]

_LAST_ANSWERS_S = 1.0
"""How long the answers of what was ended may take to be sent; they take milliseconds."""

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
    survey = await asyncio.to_thread(survey_functions, folder, settings.only)
    if not survey.problems:
        # A wrong --route is told before anything is compiled.
        make_catalogue(survey.functions, settings.routes)
    preparable = find_preparable(survey)
    functions = preparable.functions
    engines = (engine for each in functions for engine in engines_of(each.manifest, settings))
    async with contextlib.AsyncExitStack() as stack:
        preparer = await stack.enter_async_context(
            open_preparer(engines, settings, problems=preparable.problems)
        )
        prepared = await preparer.prepare(functions, problems=preparable.problems)
        for note in memory_notes(prepared, settings, machine_memory_bytes()):
            _log.warning("%s", note)
        catalogue = make_catalogue(functions, settings.routes)
        observers = Observers([LogObserver()])
        pool = await stack.enter_async_context(open_pool(prepared, settings, preparer.bases, observers))
        outputs = await stack.enter_async_context(_open_outputs(functions, settings))
        runner = Runner(pool, outputs, observers)
        server = new_server(body_limit=max(each.manifest.limits.body_bytes for each in functions))
        answers = Answers()
        deployment = Deployment(catalogue)
        callback = AppCallback(
            Invoker(deployment, runner),
            Consumer(deployment, runner),
            deployment,
            answers,
            token=settings.app_api_token,
            is_event_token_checked=settings.event_token,
        )
        add_callbacks(callback, server)
        streams = Streams(deployment, runner)
        add_functions(Functions(streams, answers, token=settings.app_api_token), server)
        if settings.reflection:
            add_reflection(server)
        address = await stack.enter_async_context(listen(server, settings.host, settings.port))
        announce(_announcement(address, len(functions), preparer, prepared, settings))
        signals.starting = None
        await signals.first.wait()
        _log.info("draining for at most %g s; a second signal ends at once", settings.drain_s)

        async def end_calls() -> None:
            await runner.drain()
            await answers.settled()

        await drain(end_calls, seconds=settings.drain_s, force=signals.second)
        runner.stop()
        with contextlib.suppress(asyncio.TimeoutError):
            # A caller that doesn't read holds its answer back: only the connection's end is left to tell it.
            await asyncio.wait_for(answers.settled(), _LAST_ANSWERS_S)


@contextlib.asynccontextmanager
async def _open_outputs(functions: Sequence[Function], settings: Settings) -> AsyncIterator[Outputs]:
    """
    Connect to the sidecar, and wait for it if a result has to go through it.

    Raises:
        ConfigError: Its endpoint is not valid; or it is needed and can't be used.
    """
    senders = [function.name for function in functions if function.has_outputs]
    if not settings.dapr_grpc_endpoint:
        if senders:
            _log.warning(
                "no sidecar is configured (DAPR_GRPC_PORT): no `then` of %s works", ", ".join(senders)
            )
        yield Outputs(None, app_id=settings.app_id)
        return
    async with open_sidecar(settings.dapr_grpc_endpoint, token=settings.dapr_api_token) as sidecar:
        app_id = settings.app_id
        if senders:
            app_id = await sidecar.wait(settings.sidecar_wait_s) or app_id
        yield Outputs(sidecar, app_id=app_id)


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
