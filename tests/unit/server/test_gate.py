"""The gate: what becomes of calls whose messages never end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import grpc
import pytest
from google.protobuf import empty_pb2

from hostile.stalling import stall
from wasm_grpc.core.observers import Observers
from wasm_grpc.server.answers import Answers
from wasm_grpc.server.calls import Calls
from wasm_grpc.server.gate import Gate
from wasm_grpc.server.listener import listen, new_server

__all__: list[str] = []

pytestmark = pytest.mark.asyncio

METHOD = "/package.Service/Method"
TOKEN = "secret"


@contextlib.asynccontextmanager
async def serve() -> AsyncIterator[tuple[str, int]]:
    """Serve a method that answers with its message, and requires a token."""

    async def answer(request: empty_pb2.Empty, _: object) -> empty_pb2.Empty:
        return request

    gate = Gate()
    calls = Calls(Answers(), Observers(), token=TOKEN, is_event_token_checked=True)
    handler = grpc.unary_unary_rpc_method_handler(
        answer,
        request_deserializer=empty_pb2.Empty.FromString,
        response_serializer=empty_pb2.Empty.SerializeToString,
    )
    gate.add(METHOD, handler, calls.admission("Method", is_event=False))
    server = new_server(body_limit=1)
    server.add_generic_rpc_handlers((gate,))
    async with listen(server, "127.0.0.1", 0) as address:
        host, _, port = address.rpartition(":")
        yield host, int(port)


async def call(host: str, port: int) -> object:
    """Call the method as one should."""
    async with grpc.aio.insecure_channel(f"{host}:{port}") as channel:
        method = channel.unary_unary(
            METHOD,
            request_serializer=empty_pb2.Empty.SerializeToString,
            response_deserializer=empty_pb2.Empty.FromString,
        )
        return await method(empty_pb2.Empty(), metadata=(("dapr-api-token", TOKEN),), timeout=5)


async def test_many_messages_that_never_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """All but so many are cut when their time is over, and other calls are served meanwhile."""
    monkeypatch.setattr("wasm_grpc.server.gate._MESSAGE_S", 0.5)

    async with (
        serve() as (host, port),
        stall(host, port, METHOD, calls=50, token=TOKEN, size=100) as stalled,
    ):
        await call(host, port)
        ended_before = sum(each.has_ended for each in stalled)
        await asyncio.sleep(0.6)
        await call(host, port)
        ended = sum(each.has_ended for each in stalled)

    assert (ended_before, ended) == (0, 50 - 32)


async def test_callers_that_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls that were cancelled before their message came are not taken for stalled ones later."""
    monkeypatch.setattr("wasm_grpc.server.gate._MESSAGE_S", 0.0)

    async with serve() as (host, port):
        async with stall(host, port, METHOD, calls=40, token=TOKEN, size=100):
            await asyncio.sleep(0.2)
        await asyncio.sleep(0.2)

        # With stalled calls it would be refused at once.
        await call(host, port)
