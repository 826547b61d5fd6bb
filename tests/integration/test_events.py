"""The function `events` as it comes: what it takes, what it answers, and that it loses nothing."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from dapr.proto.common.v1 import common_pb2
from dapr.proto.runtime.v1 import dapr_pb2_grpc, state_pb2

from integration.client import Caller, connect
from integration.conftest import StartServer
from wasm_grpc.devsidecar.sidecar import open_dev_sidecars

pytestmark = pytest.mark.asyncio(loop_scope="module")

EVENTS = Path(__file__).resolve().parents[2] / "functions" / "events"
APP = "events-service"
DONE = {"status": True}
NOTHING: dict[str, Any] = {"events": [], "counts": {}}
EVENT = {
    "event_ts": 1_700_000_000_000,
    "op_type": "grayscale",
    "input_size": 1200,
    "output_size": 800,
    "duration_ms": 3.5,
}
INTEGER = "expected an integer from 0 to 2^53 - 1"
KIND = "expected a text of 1 to 64 bytes"


class Events:
    """Two servers of the app, and their store."""

    def __init__(self, callers: list[Caller], sidecar: dapr_pb2_grpc.DaprStub) -> None:
        self.callers = callers
        self.sidecar = sidecar

    async def call(self, method: str, body: bytes = b"", *, server: int = 0) -> Any:
        """Call a method of one of the servers; the answer is JSON."""
        reply = await self.callers[server].invoke(method, body)
        assert reply.content_type == "application/json"
        return json.loads(reply.body)

    async def create(self, event: Mapping[str, Any], *, server: int = 0) -> None:
        """Report an event."""
        assert await self.call("create_event", json.dumps(event).encode(), server=server) == DONE

    async def store(self, value: bytes) -> None:
        """Put something under the function's key."""
        item = common_pb2.StateItem(key="events", value=value)
        await self.sidecar.DeleteState(state_pb2.DeleteStateRequest(store_name="statestore", key="events"))
        await self.sidecar.SaveState(state_pb2.SaveStateRequest(store_name="statestore", states=[item]))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def replicas(start_server: StartServer) -> AsyncIterator[Events]:
    """Run two servers behind one sidecar."""
    async with AsyncExitStack() as stack:
        sidecars = await stack.enter_async_context(open_dev_sidecars({APP: ""}))
        env = {"DAPR_GRPC_ENDPOINT": sidecars[APP]}
        servers = [
            await stack.enter_async_context(start_server(EVENTS, "--workers", "1", env=env)) for _ in range(2)
        ]
        callers = [await stack.enter_async_context(connect(server.address)) for server in servers]
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(sidecars[APP]))
        yield Events(callers, dapr_pb2_grpc.DaprStub(channel))


@pytest_asyncio.fixture(loop_scope="module")
async def events(replicas: Events) -> Events:
    """Empty the store."""
    assert await replicas.call("init") == DONE
    return replicas


async def test_an_event_is_kept(events: Events) -> None:
    """An event comes back as it was reported, with an id, and is counted."""
    await events.create(EVENT)

    answer = await events.call("events")

    assert answer == {"events": [{"event_id": 1, **EVENT}], "counts": {"grayscale": 1}}


async def test_the_least_that_an_event_has(events: Events) -> None:
    """An event without a time happens now; what it leaves out is null."""
    before = time.time() * 1000 - 1
    await events.create({"op_type": "x", "input_size": 0})

    (event,) = (await events.call("events"))["events"]

    assert before <= event.pop("event_ts") <= time.time() * 1000 + 1
    expected = {"event_id": 1, "op_type": "x", "input_size": 0, "output_size": None, "duration_ms": None}
    assert event == expected


@pytest.mark.parametrize(("number", "kind"), [(1, "grayscale"), (2, "classify")])
async def test_an_event_of_the_original_demo(events: Events, number: int, kind: str) -> None:
    """The original service takes a number as the kind, and any text as the time, which it ignores."""
    await events.create({"event_id": 0, "event_ts": "2022-10-09", "op_type": number, "input_size": 5})

    answer = await events.call("events")

    assert answer["counts"] == {kind: 1}
    assert answer["events"][0]["event_ts"] > EVENT["event_ts"]


async def test_the_newest_is_first_and_the_oldest_goes(events: Events) -> None:
    """Of 103 events the last hundred are kept; all are counted."""
    for number in range(103):
        await events.create({"op_type": f"kind {number % 2}", "input_size": number})

    answer = await events.call("events")

    assert [event["input_size"] for event in answer["events"]] == list(range(102, 2, -1))
    assert [event["event_id"] for event in answer["events"]] == list(range(103, 3, -1))
    assert answer["counts"] == {"kind 0": 52, "kind 1": 51}


async def test_the_kinds_are_bounded(events: Events) -> None:
    """A hundred kinds are counted apart, and further ones together."""
    for number in range(102):
        await events.create({"op_type": f"kind {number}", "input_size": 1})
    await events.create({"op_type": "kind 0", "input_size": 1})

    counts = (await events.call("events"))["counts"]

    assert (len(counts), counts["kind 0"], counts["other"]) == (101, 2, 2)


async def test_init(events: Events) -> None:
    """After `init` there is nothing, and ids begin again."""
    await events.create(EVENT)
    assert await events.call("init") == DONE
    assert await events.call("events") == NOTHING

    await events.create(EVENT)

    assert (await events.call("events"))["events"][0]["event_id"] == 1


async def test_concurrent_reports(events: Events) -> None:
    """Of reports to two servers at once none is lost, though both write the same key."""
    reports = [events.create({**EVENT, "input_size": number}, server=number % 2) for number in range(80)]

    await asyncio.gather(*reports)

    answer = await events.call("events")
    assert answer["counts"] == {"grayscale": 80}
    assert {event["input_size"] for event in answer["events"]} == set(range(80))
    assert [event["event_id"] for event in answer["events"]] == list(range(80, 0, -1))


async def test_the_first_reports_at_once(events: Events) -> None:
    """Two servers that create the key at the same time lose nothing either."""
    for _ in range(10):
        await events.sidecar.DeleteState(state_pb2.DeleteStateRequest(store_name="statestore", key="events"))

        await asyncio.gather(*(events.create(EVENT, server=server) for server in range(2)))

        assert (await events.call("events"))["counts"] == {"grayscale": 2}


REJECTED = {
    "no JSON": (b"grey", "the body is not a JSON object; expected one with op_type and input_size"),
    "a list": (b"[]", "the body is not a JSON object; expected one with op_type and input_size"),
    "no kind": (b'{"input_size": 1}', f"op_type is missing; {KIND}"),
    "a null as kind": (b'{"op_type": null, "input_size": 1}', f"op_type is missing; {KIND}"),
    "an empty kind": (b'{"op_type": "", "input_size": 1}', f"op_type is not valid; {KIND}"),
    "an unknown number": (b'{"op_type": 3, "input_size": 1}', f"op_type is not valid; {KIND}"),
    "a long kind": (
        json.dumps({"op_type": "x" * 65, "input_size": 1}).encode(),
        f"op_type is not valid; {KIND}",
    ),
    "no size": (b'{"op_type": "x"}', f"input_size is missing; {INTEGER}"),
    "a negative size": (b'{"op_type": "x", "input_size": -1}', f"input_size is not valid; {INTEGER}"),
    "a size in text": (b'{"op_type": "x", "input_size": "1"}', f"input_size is not valid; {INTEGER}"),
    "half a byte": (
        b'{"op_type": "x", "input_size": 1, "output_size": 0.5}',
        f"output_size is not valid; {INTEGER}",
    ),
    "a time of no number": (
        b'{"op_type": "x", "input_size": 1, "event_ts": [1]}',
        f"event_ts is not valid; {INTEGER}",
    ),
    "a huge time": (
        b'{"op_type": "x", "input_size": 1, "event_ts": 9007199254740992}',
        f"event_ts is not valid; {INTEGER}",
    ),
    "a negative duration": (
        b'{"op_type": "x", "input_size": 1, "duration_ms": -1}',
        "duration_ms is not valid; expected a number from 0 to 2^53 - 1",
    ),
}


@pytest.mark.parametrize(("body", "sentence"), REJECTED.values(), ids=REJECTED)
async def test_what_is_no_event(events: Events, body: bytes, sentence: str) -> None:
    """A bad event is rejected with one sentence, and nothing is kept of it."""
    failure = await events.callers[0].fail("create_event", body)

    assert (failure.code, failure.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "REJECTED")
    assert failure.message == f"function 'events': rejected the input: {sentence}"
    assert await events.call("events") == NOTHING


async def test_something_else_under_the_key(events: Events) -> None:
    """What is not a history is never overwritten by an event, and `init` replaces it."""
    await events.store(b"mine")

    failures = [
        await events.callers[0].fail(method, json.dumps(EVENT).encode())
        for method in ("create_event", "events")
    ]

    sentence = "the key 'events' in the state store 'statestore' has something else; expected events"
    assert all(sentence in failure.message for failure in failures)
    assert await events.call("init") == DONE
    assert await events.call("events") == NOTHING


async def test_no_sidecar(start_server: StartServer) -> None:
    """Without a sidecar each method says what it can't use."""
    async with start_server(EVENTS, "--workers", "1") as server, connect(server.address) as caller:
        failure = await caller.fail("events")

    assert failure.code is grpc.StatusCode.INTERNAL
    assert (
        "the state store 'statestore' can't be used: GetState: this server has no sidecar" in failure.message
    )
