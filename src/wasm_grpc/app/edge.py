"""The side of a server that callers and the sidecar reach: services, wired to the path of an invocation."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Sequence

from wasm_grpc.app.connection import Connection
from wasm_grpc.catalogue.function import Function
from wasm_grpc.catalogue.routes import make_catalogue
from wasm_grpc.core.observers import Observers
from wasm_grpc.core.settings import Settings
from wasm_grpc.dapr.guest_calls import GuestCalls
from wasm_grpc.dapr.output_calls import OutputCalls
from wasm_grpc.invocation.deployment import Deployment
from wasm_grpc.invocation.outputs import Outputs
from wasm_grpc.invocation.runner import Runner
from wasm_grpc.invocation.triggers.stream import Streams
from wasm_grpc.pool.pool import Pool
from wasm_grpc.server.answers import Answers
from wasm_grpc.server.callback import AppCallback, add_callbacks
from wasm_grpc.server.calls import Calls
from wasm_grpc.server.first_call import make_first_call
from wasm_grpc.server.functions import Functions, add_functions
from wasm_grpc.server.gate import Gate
from wasm_grpc.server.listener import drain, listen, new_server
from wasm_grpc.server.reflection import add_reflection

__all__ = ["Edge", "open_edge"]

_LAST_ANSWERS_S = 1.0
"""How long the answers of what was ended may take to be sent; they take milliseconds."""

_log = logging.getLogger("wasm_grpc.app")


class Edge:
    """
    A server that listens.

    Attributes:
        address: Where it listens, as ``host:port``.
    """

    def __init__(self, address: str, runner: Runner, answers: Answers) -> None:
        self.address = address
        self._runner = runner
        self._answers = answers

    async def drain(self, *, seconds: float, force: asyncio.Event) -> None:
        """
        Refuse new calls, and end the others when they are done or their time is over.

        Args:
            seconds: How long they may take.
            force: Once set, it is over.
        """

        async def end_calls() -> None:
            await self._runner.drain()
            await self._answers.settled()

        await drain(end_calls, seconds=seconds, force=force)
        self._runner.stop()
        with contextlib.suppress(asyncio.TimeoutError):
            # A caller that doesn't read holds its answer back: only the connection's end is left to tell it.
            await asyncio.wait_for(self._answers.settled(), _LAST_ANSWERS_S)


@contextlib.asynccontextmanager
async def open_edge(
    functions: Sequence[Function],
    pool: Pool,
    connection: Connection,
    observers: Observers,
    settings: Settings,
) -> AsyncIterator[Edge]:
    """
    Wait for the sidecar where it is needed, and listen. Calls that still run at the end are cancelled.

    Args:
        functions: What is served; the pool runs each.
        pool: Runs their invocations.
        connection: Leads to the sidecar.
        observers: Learn of requests and invocations.
        settings: See `Settings`.

    Raises:
        ConfigError, HostError, PortInUseError: The sidecar or the address can't be had.
    """
    async with contextlib.AsyncExitStack() as stack:
        outputs = await _outputs(functions, connection, settings)
        pool.connect_dapr(GuestCalls(connection.sidecar))
        runner = Runner(pool, outputs, observers)
        server = new_server(body_limit=max(each.manifest.limits.body_bytes for each in functions))
        answers = Answers()
        deployment = Deployment(make_catalogue(functions, settings.routes))
        calls = Calls(
            answers,
            observers,
            token=settings.app_api_token,
            is_event_token_checked=settings.event_token,
        )
        gate = Gate()
        add_callbacks(AppCallback(deployment, runner, calls), gate, calls)
        add_functions(Functions(Streams(deployment, runner), calls), gate, calls)
        server.add_generic_rpc_handlers((gate,))
        if settings.reflection:
            add_reflection(server)
        address = await stack.enter_async_context(listen(server, settings.host, settings.port))
        await make_first_call(address)
        yield Edge(address, runner, answers)


async def _outputs(functions: Sequence[Function], connection: Connection, settings: Settings) -> Outputs:
    """
    Wait for the sidecar if a result has to go through it.

    Raises:
        SidecarError: It is needed and can't be used.
    """
    app_id = settings.app_id
    sidecar = connection.sidecar
    senders = [function.name for function in functions if function.has_outputs]
    if sidecar is not None and senders:
        app_id = await connection.wait() or app_id
    elif senders:
        _log.warning("no sidecar is configured (DAPR_GRPC_PORT): no `then` of %s works", ", ".join(senders))
    callers = [each.name for each in functions if each.manifest.capabilities.dapr.is_granted]
    if sidecar is None and callers:
        _log.warning(
            "no sidecar is configured (DAPR_GRPC_PORT): calls to Dapr by %s fail, and the rest works; "
            "`dapr run … -- wasm-grpc serve …` starts one",
            ", ".join(callers),
        )
    return Outputs(None if sidecar is None else OutputCalls(sidecar), app_id=app_id)
