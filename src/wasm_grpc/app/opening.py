"""From prepared functions to a server that listens: sidecar, secrets, workers, edge and jobs, in turn."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence

from wasm_grpc.app.connection import open_connection
from wasm_grpc.app.edge import Edge, open_edge
from wasm_grpc.app.scheduling import open_schedule
from wasm_grpc.app.secrets import with_secrets
from wasm_grpc.catalogue.function import Function
from wasm_grpc.core.observers import Observers
from wasm_grpc.core.settings import Settings
from wasm_grpc.pool.bases import Bases
from wasm_grpc.pool.functions import PoolFunction
from wasm_grpc.pool.pool import open_pool

__all__ = ["open_server"]


@contextlib.asynccontextmanager
async def open_server(
    functions: Sequence[Function],
    prepared: Sequence[PoolFunction],
    bases: Bases,
    observers: Observers,
    settings: Settings,
) -> AsyncIterator[Edge]:
    """
    Open a server, and close all of it at the end.

    Args:
        functions: What is served.
        prepared: The same functions, in the same order, as the pool runs them.
        bases: What its processes are forked from.
        observers: Learn of requests and invocations.
        settings: See `Settings`.

    Raises:
        WasmGrpcError: It can't be opened.
    """
    async with contextlib.AsyncExitStack() as stack:
        connection = await stack.enter_async_context(open_connection(settings))
        # Before the pool, whose workers get the environment when they load a function.
        served = await with_secrets(functions, prepared, connection, settings)
        pool = await stack.enter_async_context(open_pool(served, settings, bases, observers))
        edge = await stack.enter_async_context(open_edge(functions, pool, connection, observers, settings))
        # Once it listens, because a job may be due at once.
        await stack.enter_async_context(open_schedule(functions, connection, settings))
        yield edge
