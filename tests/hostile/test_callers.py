"""Callers that stall: what those without the token can make the server hold is small, and so is it for how long."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from hostile.stalling import stall
from integration.client import connect
from integration.conftest import StartServer
from integration.guests import write_functions
from integration.processes import resident_bytes
from wasm_grpc.core.model import MIB

__all__: list[str] = []

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]

CALLBACK = "/dapr.proto.runtime.v1.AppCallback"
HEALTH = "/dapr.proto.runtime.v1.AppCallbackHealthCheck"
METHODS = {
    "an invocation": f"{CALLBACK}/OnInvoke",
    "an event": f"{CALLBACK}/OnTopicEvent",
    "a stream": "/wasm_grpc.v1.Functions/Invoke",
    "a call that needs no token": f"{HEALTH}/HealthCheck",
    "an unknown call": f"{CALLBACK}/OnNothing",
}
CALLS = 250
TOKEN = [("dapr-api-token", "secret")]


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
async def test_messages_that_never_end_without_the_token(
    start_server: StartServer, tmp_path: Path, method: str
) -> None:
    """250 calls of 4 MiB, of which the last byte is missing: they are refused before it is read."""
    functions = write_functions(tmp_path / "functions", {"echo": ""})
    async with (
        start_server(functions, "--workers", "1", env={"APP_API_TOKEN": "secret"}) as server,
        connect(server.address) as caller,
    ):
        await caller.invoke("echo", metadata=TOKEN)
        before = resident_bytes(server.process.pid)
        grown = 0
        async with stall(server.host, server.port, method, calls=CALLS) as calls:
            for _ in range(20):
                await asyncio.sleep(0.1)
                assert (await caller.invoke("echo", b"next", metadata=TOKEN)).body == b"next"
                grown = max(grown, resident_bytes(server.process.pid) - before)
            ended = [call.has_ended for call in calls]

    # Some 90 KiB for each connection, and the windows of those that a busy server has not refused yet.
    assert grown < 200 * MIB
    assert ended == [True] * CALLS
