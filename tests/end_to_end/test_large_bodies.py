"""Large bodies of unary calls, by sidecars whose limit was raised: they arrive and come back as they were."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator

import grpc
import pytest
import pytest_asyncio
from dapr.proto.common.v1 import common_pb2
from dapr.proto.runtime.v1 import dapr_pb2_grpc, invoke_pb2
from google.protobuf import any_pb2

from end_to_end.app import APP_ID, App, run_app
from end_to_end.failures import Failure, failure_of
from integration.guests import write_function

__all__ = ["large_app"]

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(60)]

MIB = 1 << 20
SIDECARS_LIMIT = 100 * MIB
BODY_LIMIT = 64 * MIB
SIZES = [4 * MIB, 16 * MIB, BODY_LIMIT]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def large_app(
    engine: str, cache_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[App]:
    """Serve an echo that takes 64 MiB."""
    folder = tmp_path_factory.mktemp("large")
    limits = '[limits]\nbody = "64MiB"\noutput = "64MiB"\ntimeout = "30s"\n'
    write_function(folder / "functions", "echo", sections=limits)
    flags = ["--engine", engine, "--workers", "1"]
    async with run_app(
        folder / "functions", folder, *flags, env=cache_environment, body_limit_bytes=SIDECARS_LIMIT
    ) as app:
        yield app


@pytest.mark.parametrize("size", SIZES)
async def test_a_large_body_by_http(large_app: App, size: int) -> None:
    """From the caller's sidecar to the app's and back."""
    body = random.randbytes(size)

    reply = await large_app.invoke("echo", body)

    assert (reply.status, reply.body == body) == (200, True)


@pytest.mark.parametrize("size", SIZES)
async def test_a_large_body_by_grpc(large_app: App, size: int) -> None:
    """The same, as SDKs send it."""
    body = random.randbytes(size)
    message = common_pb2.InvokeRequest(method="echo", data=any_pb2.Any(value=body))
    request = invoke_pb2.InvokeServiceRequest(id=APP_ID, message=message)
    options = [("grpc.max_receive_message_length", -1)]

    async with grpc.aio.insecure_channel(large_app.caller.grpc_address, options=options) as channel:
        token = (("dapr-api-token", large_app.caller.api_token),)
        reply = await dapr_pb2_grpc.DaprStub(channel).InvokeService(request, metadata=token, timeout=30)

    assert reply.data.value == body


async def test_a_body_over_the_functions_limit(large_app: App) -> None:
    """Where the sidecars take it, the server says that it is too large."""
    reply = await large_app.invoke("echo", bytes(BODY_LIMIT + 1))

    assert failure_of(reply) == Failure(
        status=429,
        message="function 'echo': body of 67108865 bytes; expected at most 67108864",
        reason="BODY_TOO_LARGE",
        function="echo",
        limit="limits.body",
    )
