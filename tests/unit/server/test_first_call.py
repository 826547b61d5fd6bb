"""The call that a server makes to itself."""

from __future__ import annotations

import pytest
from dapr.proto.runtime.v1 import appcallback_pb2 as pb
from dapr.proto.runtime.v1 import appcallback_pb2_grpc as services
from google.protobuf import empty_pb2

from wasm_grpc.server.failures import Context
from wasm_grpc.server.first_call import make_first_call
from wasm_grpc.server.listener import listen, new_server

pytestmark = pytest.mark.asyncio


class Health(services.AppCallbackHealthCheckServicer):
    """Counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    async def HealthCheck(self, request: empty_pb2.Empty, context: Context) -> pb.HealthCheckResponse:
        """Answer at once."""
        self.calls += 1
        return pb.HealthCheckResponse()


async def test_the_first_call_is_a_health_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server checks its own health once, past a proxy that the environment names."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    health, server = Health(), new_server(body_limit=1)
    services.add_AppCallbackHealthCheckServicer_to_server(health, server)

    async with listen(server, "127.0.0.1", 0) as address:
        await make_first_call(address)

    assert health.calls == 1


async def test_a_server_that_can_not_call_itself() -> None:
    """The call makes nothing but the next one faster, so its failure is no error."""
    async with listen(new_server(body_limit=1), "127.0.0.1", 0) as address:
        pass

    await make_first_call(address)
