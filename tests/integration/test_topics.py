"""Topics' messages as daprd hands them in, without a sidecar: what is asked for, and what is answered."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
from dapr.proto.runtime.v1 import appcallback_pb2 as pb
from google.protobuf import empty_pb2, json_format

from integration.client import Caller, connect
from integration.commands import run_command
from integration.conftest import StartServer
from integration.guests import write_function
from integration.processes import busy_worker, settled, until, worker_pids
from rig import Server

__all__ = ["caller", "functions", "server"]

pytestmark = pytest.mark.asyncio(loop_scope="module")

SUCCESS, RETRY, DROP = (
    pb.TopicEventResponse.TopicEventResponseStatus.Value(name) for name in ("SUCCESS", "RETRY", "DROP")
)

ACT = """
[limits]
timeout = "10s"

[[trigger.invoke]]
method = "act"
then = { publish = { pubsub = "pubsub", topic = "out" } }

[[trigger.topic]]
pubsub = "pubsub"
topic = "in"
match = 'event.type == "a"'
dead_letter = "dead"
bulk = { max_messages = 20, max_await = "50ms" }
metadata = { key = "value" }

[[trigger.topic]]
pubsub = "pubsub"
topic = "in"

[[trigger.topic]]
pubsub = "pubsub"
topic = "sent-on"
then = { publish = { pubsub = "pubsub", topic = "out" } }

[[trigger.topic]]
pubsub = "pubsub"
topic = "rules"
match = 'event.type == "a"'
bulk = {}
"""


@pytest.fixture(scope="module")
def functions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return one function with every kind of topic."""
    folder = tmp_path_factory.mktemp("functions")
    write_function(folder, "act", trigger=ACT)
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(start_server: StartServer, functions: Path) -> AsyncIterator[Server]:
    """Serve it with one worker and its spare, and no sidecar."""
    async with start_server(functions, "--workers", "1", "--max-workers", "2") as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def caller(server: Server) -> AsyncIterator[Caller]:
    """Open a channel to the server."""
    async with connect(server.address) as channel:
        yield channel


def event(
    data: bytes, *, topic: str = "in", path: str = "act/1", message_id: str = "1"
) -> pb.TopicEventRequest:
    """Return a message as daprd delivers it."""
    return pb.TopicEventRequest(
        id=message_id,
        source="test",
        type="test.sent",
        spec_version="1.0",
        data=data,
        data_content_type="text/plain",
        pubsub_name="pubsub",
        topic=topic,
        path=path,
    )


async def test_what_is_subscribed_to(caller: Caller) -> None:
    """Daprd is told of each topic once, with its rules in order, its default and all that they share."""
    answer = await caller.callback.ListTopicSubscriptions(empty_pb2.Empty())

    rule = {"match": 'event.type == "a"'}
    assert json_format.MessageToDict(answer)["subscriptions"] == [
        {
            "pubsubName": "pubsub",
            "topic": "in",
            "metadata": {"key": "value"},
            "routes": {"rules": [{**rule, "path": "act/0"}], "default": "act/1"},
            "deadLetterTopic": "dead",
            "bulkSubscribe": {"enabled": True, "maxMessagesCount": 20, "maxAwaitDurationMs": 50},
        },
        {"pubsubName": "pubsub", "topic": "sent-on", "routes": {"default": "act/2"}},
        {
            "pubsubName": "pubsub",
            "topic": "rules",
            "routes": {"rules": [{**rule, "path": "act/3"}]},
            "bulkSubscribe": {"enabled": True, "maxMessagesCount": 100, "maxAwaitDurationMs": 1000},
        },
    ]


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (event(b"ok"), SUCCESS),
        (event(b""), SUCCESS),
        (event(b"ok", path="act/0"), SUCCESS),
        (event(b"ok", path="/any"), SUCCESS),
        (event(b"ok", path=""), SUCCESS),
        (event(b"r"), DROP),
        (event(b"f"), DROP),
        (event(b"t"), DROP),
        (event(b"ok", topic="other"), RETRY),
        (event(b"ok", topic="other", path=""), RETRY),
        (event(b"ok", topic="sent-on"), RETRY),
    ],
    ids=[
        "taken",
        "empty",
        "by a rule",
        "by an unknown path",
        "by no path",
        "rejected",
        "failed",
        "trapped",
        "unknown topic",
        "unknown topic, no path",
        "no sidecar",
    ],
)
async def test_a_single_message(caller: Caller, request_: pb.TopicEventRequest, status: int) -> None:
    """Each message has the answer that its end means to Dapr."""
    response = await caller.callback.OnTopicEvent(request_)

    assert response.status == status


@pytest.mark.parametrize("is_stable", [True, False], ids=["OnBulkTopicEvent", "OnBulkTopicEventAlpha1"])
async def test_a_batch(caller: Caller, *, is_stable: bool) -> None:
    """Every entry has its own answer, be the batch larger than what may run and wait, or the entry bare bytes."""
    call = caller.callback.OnBulkTopicEvent if is_stable else caller.alpha.OnBulkTopicEventAlpha1
    bodies = [b"orft"[number % 4 : number % 4 + 1] for number in range(200)]
    entries = [
        pb.TopicEventBulkRequestEntry(entry_id=f"{number}", bytes=body) for number, body in enumerate(bodies)
    ]
    request = pb.TopicEventBulkRequest(entries=entries, pubsub_name="pubsub", topic="in", path="act/0")

    response = await call(request)

    expected = [(f"{number}", SUCCESS if body == b"o" else DROP) for number, body in enumerate(bodies)]
    assert [(each.entry_id, each.status) for each in response.statuses] == expected


BATCHES = """
[limits]
timeout = "2s"

[[trigger.topic]]
pubsub = "pubsub"
topic = "in"
bulk = {}
"""


@pytest_asyncio.fixture(loop_scope="module")
async def bulk_server(start_server: StartServer, tmp_path: Path) -> AsyncIterator[Server]:
    """Serve a function that is known to be fast, so that its messages travel in batches."""
    write_function(tmp_path, "act", trigger=BATCHES)
    async with start_server(tmp_path, "--workers", "1", "--max-workers", "2") as running:
        async with connect(running.address) as caller:
            assert await statuses(caller, [b"ok"] * 50) == [SUCCESS] * 50
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def bulk_caller(bulk_server: Server) -> AsyncIterator[Caller]:
    """Open a channel to that server."""
    async with connect(bulk_server.address) as channel:
        yield channel


async def statuses(caller: Caller, bodies: Sequence[bytes], *, timeout_s: float | None = None) -> list[int]:
    """Deliver messages at once, and return the status of each."""
    entries = [
        pb.TopicEventBulkRequestEntry(
            entry_id=f"{number}",
            cloud_event=pb.TopicEventCERequest(
                id=f"{number}",
                source="test",
                type="test.sent",
                spec_version="1.0",
                data=body,
                data_content_type="text/plain",
            ),
        )
        for number, body in enumerate(bodies)
    ]
    request = pb.TopicEventBulkRequest(entries=entries, pubsub_name="pubsub", topic="in", path="act/0")
    response = await caller.callback.OnBulkTopicEvent(request, timeout=timeout_s)
    assert [each.entry_id for each in response.statuses] == [each.entry_id for each in entries]
    return [each.status for each in response.statuses]


async def test_a_message_harms_no_other_of_its_batch(bulk_caller: Caller) -> None:
    """A message that fails, traps or exceeds its time has its own status, and those behind it are taken."""
    bodies = [b"ok", b"f", b"ok", b"t", b"ok", b"spin", b"ok", b"w", b"ok"]

    assert await statuses(bulk_caller, bodies) == [
        SUCCESS,
        DROP,
        SUCCESS,
        DROP,
        SUCCESS,
        RETRY,
        SUCCESS,
        SUCCESS,
        SUCCESS,
    ]


async def test_a_worker_that_is_killed_in_a_batch(bulk_server: Server, bulk_caller: Caller) -> None:
    """Only the message that it ran is to be retried."""
    await settled(bulk_server.process.pid, 2)
    delivery = asyncio.ensure_future(statuses(bulk_caller, [b"ok", b"w", b"ok", b"ok"]))
    os.kill(await busy_worker(bulk_server.process.pid), signal.SIGKILL)

    assert await delivery == [SUCCESS, RETRY, SUCCESS, SUCCESS]


async def test_daprd_that_does_not_wait_for_a_batch(bulk_server: Server, bulk_caller: Caller) -> None:
    """A batch whose delivery meets daprd's own timeout doesn't go on running, and the next one is taken."""
    await settled(bulk_server.process.pid, 2)
    delivery = asyncio.ensure_future(statuses(bulk_caller, [b"ok", b"spin", b"ok"], timeout_s=1))
    busy = await busy_worker(bulk_server.process.pid)

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await delivery

    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await until(lambda: busy not in worker_pids(bulk_server.process.pid), "the guest's worker to be gone")
    assert await statuses(bulk_caller, [b"ok"] * 20) == [SUCCESS] * 20


async def test_a_server_that_drains_in_a_batch(bulk_server: Server, bulk_caller: Caller) -> None:
    """What is with the workers, or waits for them, is done; the rest of the delivery is to be retried."""
    await settled(bulk_server.process.pid, 2)
    delivery = asyncio.ensure_future(statuses(bulk_caller, [b"w", *[b"ok"] * 99]))
    await busy_worker(bulk_server.process.pid)
    bulk_server.process.signal(signal.SIGTERM)
    answer = await delivery

    done = answer.count(SUCCESS)
    assert 0 < done < 100
    assert answer == [SUCCESS] * done + [RETRY] * (100 - done)


async def test_what_no_rule_matched_in_a_batch(caller: Caller) -> None:
    """Daprd has dealt with it, and hands it in without a path: it runs nothing and is acknowledged."""
    entries = [pb.TopicEventBulkRequestEntry(entry_id="1", bytes=b"t")]
    request = pb.TopicEventBulkRequest(entries=entries, pubsub_name="pubsub", topic="rules")

    response = await caller.callback.OnBulkTopicEvent(request)

    assert [each.status for each in response.statuses] == [SUCCESS]


async def test_an_empty_batch(caller: Caller) -> None:
    """A batch of nothing has no answers."""
    response = await caller.callback.OnBulkTopicEvent(
        pb.TopicEventBulkRequest(pubsub_name="pubsub", topic="in")
    )

    assert list(response.statuses) == []


async def test_daprd_that_waits_no_more_stops_the_guest(server: Server, caller: Caller) -> None:
    """A message whose delivery meets daprd's own timeout doesn't go on running."""
    before = await settled(server.process.pid, 2)
    delivery = caller.callback.OnTopicEvent(event(b"spin"), timeout=1)
    busy = await busy_worker(server.process.pid)

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await delivery

    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await until(lambda: busy not in worker_pids(server.process.pid), "the guest's worker to be gone")
    assert busy in before


async def test_crashes_are_counted_until_a_message_is_taken(server: Server, caller: Caller) -> None:
    """A message is dropped when two workers died of it in a row; once it was taken, the count begins anew."""

    async def status_of(data: bytes, *, is_killed: bool) -> int:
        await settled(server.process.pid, 2)
        delivery = asyncio.ensure_future(caller.callback.OnTopicEvent(event(data, message_id="deadly")))
        if is_killed:
            os.kill(await busy_worker(server.process.pid), signal.SIGKILL)
        return int((await delivery).status)

    killed = [await status_of(b"w", is_killed=True)]
    taken = await status_of(b"ok", is_killed=False)
    killed += [await status_of(b"w", is_killed=True) for _ in range(2)]

    assert (taken, killed) == (SUCCESS, [RETRY, RETRY, DROP])


async def test_a_reply_that_can_not_be_sent_on(caller: Caller) -> None:
    """A service invocation whose result has to be published fails where there is no sidecar."""
    failure = await caller.fail("act", b"ok")

    assert (failure.code, failure.reason, failure.message) == (
        grpc.StatusCode.UNAVAILABLE,
        "THEN_UNAVAILABLE",
        "function 'act': its result could not be sent on: no sidecar is configured; expected DAPR_GRPC_PORT",
    )


async def test_health_while_a_batch_fills_the_workers(caller: Caller) -> None:
    """HealthCheck is answered at once, whatever waits and runs."""
    entries = [pb.TopicEventBulkRequestEntry(entry_id=f"{number}", bytes=b"w") for number in range(3)]
    request = pb.TopicEventBulkRequest(entries=entries, pubsub_name="pubsub", topic="in", path="act/0")
    batch = asyncio.ensure_future(caller.callback.OnBulkTopicEvent(request))

    for _ in range(50):
        await caller.check_health(timeout_s=0.5)  # daprd's own
    response = await batch

    assert [each.status for each in response.statuses] == [SUCCESS] * 3


async def test_a_server_that_drains_takes_no_message(start_server: StartServer, functions: Path) -> None:
    """What runs when the server is told to end is answered; what comes after that is to be retried."""
    async with start_server(functions, "--workers", "1") as running, connect(running.address) as caller:
        first = asyncio.ensure_future(caller.callback.OnTopicEvent(event(b"w")))
        await busy_worker(running.process.pid)
        running.process.signal(signal.SIGTERM)
        await asyncio.wait_for(running.process.stderr.match("draining"), 5)
        second = await caller.callback.OnTopicEvent(event(b"ok"))

        assert ((await first).status, second.status) == (SUCCESS, RETRY)


async def test_a_sidecar_that_does_not_come(functions: Path, cache_environment: dict[str, str]) -> None:
    """A server whose results need a sidecar waits for it as long as it is told to, and then says what it misses."""
    env = {**cache_environment, "DAPR_GRPC_PORT": "1", "WASM_GRPC_SIDECAR_WAIT_S": "0.3"}

    ended = await asyncio.to_thread(run_command, "serve", functions, "--port", "0", env=env)

    assert (ended.code, ended.stdout) == (2, b"")
    assert ended.errors[-1] == (
        "wasm-grpc serve: no sidecar answered at 127.0.0.1:1 within 0.3 s; "
        "expected one at the address in DAPR_GRPC_ENDPOINT or DAPR_GRPC_PORT"
    )
