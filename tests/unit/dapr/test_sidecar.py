"""The client of the sidecar's API, on a real channel."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import pytest
from dapr.proto.runtime.v1 import dapr_pb2_grpc, state_pb2

from wasm_grpc.core.errors import ConfigError
from wasm_grpc.core.model import DAPR_MESSAGE_BYTES
from wasm_grpc.dapr.sidecar import Sidecar, open_sidecar

__all__ = []

pytestmark = pytest.mark.asyncio


class Store(dapr_pb2_grpc.DaprServicer):
    """A sidecar whose response to GetState has as many bytes as the key says."""

    async def GetState(
        self, request: state_pb2.GetStateRequest, context: object
    ) -> state_pb2.GetStateResponse:
        """See the API."""
        head_len = len(b"\x0a") + len(b"\x80\x80\x80\x02")
        return state_pb2.GetStateResponse(data=bytes(int(request.key) - head_len))


@asynccontextmanager
async def sidecar() -> AsyncIterator[Sidecar]:
    """Run a `Store`, and connect to it."""
    server = grpc.aio.server(options=[("grpc.max_send_message_length", -1)])
    dapr_pb2_grpc.add_DaprServicer_to_server(Store(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with open_sidecar(f"127.0.0.1:{port}", token="") as client:
            yield client
    finally:
        await server.stop(None)


async def test_a_response_of_the_longest_length() -> None:
    """It is returned, and one that is a byte longer is refused."""
    async with sidecar() as client:
        assert await _get(client, DAPR_MESSAGE_BYTES) == DAPR_MESSAGE_BYTES
        assert await _get(client, DAPR_MESSAGE_BYTES + 1) is grpc.StatusCode.RESOURCE_EXHAUSTED


async def _get(client: Sidecar, size: int) -> int | grpc.StatusCode:
    """Return the length of the response, or the status of the error; not the error, which holds the channel."""
    request = state_pb2.GetStateRequest(key=str(size))
    try:
        response: state_pb2.GetStateResponse = await client.call(
            "GetState", request, metadata=(), timeout_s=10
        )
    except grpc.aio.AioRpcError as exc:
        return exc.code()
    return response.ByteSize()


@pytest.mark.parametrize("token", ["secret\n", "\x00", "sécret"])
async def test_a_token_that_no_metadata_can_carry(token: str) -> None:
    """It is refused at the start, and not shown."""
    with pytest.raises(ConfigError) as caught:
        async with open_sidecar("127.0.0.1:1", token=token):
            pass

    assert str(caught.value) == (
        "DAPR_API_TOKEN: has a control character or is not ASCII; expected what daprd has"
    )
