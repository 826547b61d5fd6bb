"""The calls that daprd makes beside invocations, and the token that it sends with them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import grpc
import pytest
import pytest_asyncio
from dapr.proto.runtime.v1 import appcallback_pb2 as pb
from google.protobuf import empty_pb2

from integration.client import Caller, Failure, connect, failure_of
from integration.conftest import StartServer
from integration.guests import write_functions
from rig import Server

pytestmark = pytest.mark.asyncio(loop_scope="module")

CODES = grpc.StatusCode
RETRY = pb.TopicEventResponse.RETRY
TOKEN = [("dapr-api-token", "secret")]
UNAUTHENTICATED = Failure(
    code=CODES.UNAUTHENTICATED,
    message="metadata dapr-api-token: missing or wrong; expected the token of this app (APP_API_TOKEN)",
    reason="UNAUTHENTICATED",
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(
    start_server: StartServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Server]:
    """Serve with a token, as long as this module's tests run."""
    functions = write_functions(tmp_path_factory.mktemp("functions"), {"echo": "", "environment": ""})
    async with start_server(functions, "--workers", "1", env={"APP_API_TOKEN": "secret"}) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def caller(server: Server) -> AsyncIterator[Caller]:
    """Open a channel to the server."""
    async with connect(server.address) as channel:
        yield channel


@pytest.mark.parametrize(
    "metadata",
    [
        [],
        [("dapr-api-token", "")],
        [("dapr-api-token", "secre")],
        [("dapr-api-token", "secret ")],
        [("dapr-api-token-bin", b"secret")],
    ],
    ids=["missing", "empty", "shorter", "longer", "binary"],
)
async def test_a_call_without_the_token_is_refused(
    caller: Caller, metadata: list[tuple[str, str | bytes]]
) -> None:
    """Without the app's own token an invocation and an event are UNAUTHENTICATED."""
    event = pb.TopicEventRequest(pubsub_name="pubsub", topic="images")

    assert await caller.fail("echo", metadata=metadata) == UNAUTHENTICATED
    failure = await failure_of(caller.callback.OnTopicEvent(event, metadata=tuple(metadata)))
    assert failure == UNAUTHENTICATED


async def test_the_right_token_is_not_handed_on(caller: Caller) -> None:
    """With the token an invocation runs, and its guest doesn't see it."""
    reply = await caller.invoke("environment", metadata=TOKEN)

    assert b"secret" not in reply.body


async def test_what_daprd_asks_without_a_token(caller: Caller) -> None:
    """Health and both lists answer without the token; nothing is subscribed to."""
    empty = empty_pb2.Empty()

    await caller.check_health()
    assert await caller.callback.ListTopicSubscriptions(empty) == pb.ListTopicSubscriptionsResponse()
    assert await caller.callback.ListInputBindings(empty) == pb.ListInputBindingsResponse()


async def test_an_unknown_topic_is_retried(caller: Caller) -> None:
    """A message that no function takes is to be delivered again, never acknowledged."""
    event = pb.TopicEventRequest(id="1", pubsub_name="pubsub", topic="images")

    response = await caller.callback.OnTopicEvent(event, metadata=TOKEN)

    assert response == pb.TopicEventResponse(status=RETRY)


@pytest.mark.parametrize("is_stable", [True, False], ids=["OnBulkTopicEvent", "OnBulkTopicEventAlpha1"])
async def test_every_message_of_a_batch_is_retried(caller: Caller, *, is_stable: bool) -> None:
    """Each entry of a batch has its own answer, under both names of the call."""
    call = caller.callback.OnBulkTopicEvent if is_stable else caller.alpha.OnBulkTopicEventAlpha1
    entries = [pb.TopicEventBulkRequestEntry(entry_id=f"{number}") for number in range(3)]

    response = await call(pb.TopicEventBulkRequest(entries=entries), metadata=TOKEN)

    assert [(each.entry_id, each.status) for each in response.statuses] == [
        ("0", RETRY),
        ("1", RETRY),
        ("2", RETRY),
    ]


@pytest.mark.parametrize("name", ["binding", "job", "job Alpha1"])
async def test_other_events_are_refused(caller: Caller, name: str) -> None:
    """A binding's event and a job that no function takes are refused, so that daprd tries again."""
    calls = {
        "binding": lambda: caller.callback.OnBindingEvent(
            pb.BindingEventRequest(name="cron"), metadata=TOKEN
        ),
        "job": lambda: caller.callback.OnJobEvent(pb.JobEventRequest(name="nightly"), metadata=TOKEN),
        "job Alpha1": lambda: caller.alpha.OnJobEventAlpha1(
            pb.JobEventRequest(name="nightly"), metadata=TOKEN
        ),
    }
    subject = "binding 'cron'" if name == "binding" else "job 'nightly'"

    failure = await failure_of(calls[name]())

    assert (failure.code, failure.message) == (
        CODES.FAILED_PRECONDITION,
        f"{subject}: no function receives it",
    )


async def test_no_call_of_dapr_is_unimplemented(caller: Caller) -> None:
    """Every method of Dapr's three services has an answer of ours."""
    services = pb.DESCRIPTOR.services_by_name
    stubs = {"AppCallback": caller.callback, "AppCallbackAlpha": caller.alpha}
    unimplemented = []
    for service, stub in stubs.items():
        for method in services[service].methods:
            request = getattr(pb, method.input_type.name, None)
            if request is None:
                continue
            call = getattr(stub, method.name)(request(), metadata=TOKEN)
            if await call.code() is CODES.UNIMPLEMENTED:
                unimplemented.append(method.name)

    assert unimplemented == []
