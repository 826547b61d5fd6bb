"""`APP_API_TOKEN`: the sidecar is known by it, and nobody else is served."""

from __future__ import annotations

from collections.abc import AsyncIterator

import grpc
import pytest
import pytest_asyncio
from google.protobuf import empty_pb2

from end_to_end.app import App
from integration.client import Caller, connect

__all__ = ["direct"]

pytestmark = pytest.mark.asyncio(loop_scope="session")

REFUSAL = "metadata dapr-api-token: missing or wrong; expected the token of this app (APP_API_TOKEN)"


@pytest_asyncio.fixture(loop_scope="session")
async def direct(app: App) -> AsyncIterator[Caller]:
    """A caller that goes to the server past its sidecar."""
    async with connect(app.server.address) as caller:
        yield caller


@pytest.mark.parametrize(
    "metadata",
    [(), (("dapr-api-token", "another"),), (("dapr-api-token", ""),)],
    ids=["no token", "another", "empty"],
)
async def test_a_call_without_the_token_is_refused(
    direct: Caller, metadata: tuple[tuple[str, str], ...]
) -> None:
    """Who goes past the sidecar without the token is UNAUTHENTICATED."""
    failure = await direct.fail("echo", b"body", metadata=metadata)

    assert (failure.code, failure.message) == (grpc.StatusCode.UNAUTHENTICATED, REFUSAL)


async def test_a_call_with_the_token_is_served(app: App, direct: Caller) -> None:
    """The token is all that tells the sidecar from others."""
    reply = await direct.invoke("echo", b"body", metadata=(("dapr-api-token", app.sidecar.app_token),))

    assert reply.body == b"body"


async def test_what_daprd_asks_without_the_token_is_answered(direct: Caller) -> None:
    """The health check and both lists, with which daprd sends no token, ask for none."""
    await direct.check_health()
    topics = await direct.callback.ListTopicSubscriptions(empty_pb2.Empty(), timeout=5)
    bindings = await direct.callback.ListInputBindings(empty_pb2.Empty(), timeout=5)

    assert (list(topics.subscriptions), list(bindings.bindings)) == ([], [])
