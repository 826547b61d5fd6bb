"""From a pool to a server that listens: the connection to its sidecar, its edge and its jobs, in turn."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence

from wasm_grpc.app.connection import open_connection
from wasm_grpc.app.edge import Edge, open_edge
from wasm_grpc.app.scheduling import open_schedule
from wasm_grpc.catalogue.function import Function
from wasm_grpc.core.observers import Observers
from wasm_grpc.core.settings import Settings
from wasm_grpc.pool.pool import Pool

__all__ = ["open_server"]


@contextlib.asynccontextmanager
async def open_server(
    functions: Sequence[Function],
    pool: Pool,
    observers: Observers,
    settings: Settings,
) -> AsyncIterator[Edge]:
    """
    Open a server, and close all of it but the pool at the end.

    Args:
        functions: What is served.
        pool: Runs their invocations.
        observers: Learn of requests and invocations.
        settings: See `Settings`.

    Raises:
        WasmGrpcError: It can't be opened.
    """
    async with contextlib.AsyncExitStack() as stack:
        connection = await stack.enter_async_context(open_connection(settings))
        edge = await stack.enter_async_context(open_edge(functions, pool, connection, observers, settings))
        # Once it listens, because a job may be due at once.
        await stack.enter_async_context(open_schedule(functions, connection, settings))
        yield edge
