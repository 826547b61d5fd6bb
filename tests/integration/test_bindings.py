"""Bindings' events as daprd hands them in, without a sidecar: what the guest gets, and what is answered."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
from dapr.proto.runtime.v1 import appcallback_pb2 as pb
from google.protobuf import empty_pb2

from integration.client import Caller, connect, failure_of
from integration.conftest import StartServer
from integration.guests import write_function
from integration.processes import busy_worker, settled, worker_pids
from rig import Server

__all__ = ["caller", "functions", "server"]

pytestmark = pytest.mark.asyncio(loop_scope="module")

REFUSED = grpc.StatusCode.FAILED_PRECONDITION
DROPPED = pb.BindingEventResponse()
RETRY = '[outcome]\nrejected = "retry"\nfailed = "retry"\ntimeout = "retry"\nthen_failed = "retry"\n'
DROP = '[outcome]\nrejected = "drop"\nfailed = "drop"\ntimeout = "drop"\nthen_failed = "drop"\n'
LIMITS = '[limits]\ntimeout = "2s"\n'
SENT_ON = 'then = { state = { store = "statestore", key = "k" } }\n'
EVENTS, AT_ONCE, EVENTS_A_KILL = 1000, 32, 25


def binding(name: str, *more: str) -> str:
    """Return the manifest's table of a binding, with more lines of it."""
    return "\n".join(["[[trigger.binding]]", f'name = "{name}"', *more, ""])


@pytest.fixture(scope="module")
def functions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Functions that receive events; a binding's name says what a failure means there."""
    folder = tmp_path_factory.mktemp("functions")
    for verdict, outcomes in (("retry", RETRY), ("drop", DROP)):
        write_function(
            folder,
            verdict,
            guest="act",
            sections=outcomes + LIMITS,
            trigger=binding(verdict, 'to = ["mail", "files"]', 'concurrency = "parallel"')
            + binding(f"{verdict}-sent-on", SENT_ON),
        )
    write_function(folder, "environment", sections='[env]\nLEVEL = "1"\n', trigger=binding("queue"))
    write_function(
        folder, "work", guest="act", sections='[limits]\ntimeout = "10s"\n', trigger=binding("work")
    )
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(start_server: StartServer, functions: Path) -> AsyncIterator[Server]:
    """Serve them with one worker and its spare, and no sidecar."""
    async with start_server(functions, "--workers", "1", "--max-workers", "2") as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def caller(server: Server) -> AsyncIterator[Caller]:
    """Open a channel to the server."""
    async with connect(server.address) as channel:
        yield channel


def event(name: str, data: bytes, **metadata: str) -> pb.BindingEventRequest:
    """Return an event as daprd delivers it."""
    return pb.BindingEventRequest(name=name, data=data, metadata=metadata)


async def test_what_is_listed(caller: Caller) -> None:
    """Daprd is told of every binding that a function receives from."""
    answer = await caller.callback.ListInputBindings(empty_pb2.Empty())

    assert sorted(answer.bindings) == ["drop", "drop-sent-on", "queue", "retry", "retry-sent-on", "work"]


async def test_a_result_is_the_response(caller: Caller) -> None:
    """The component gets the result, and daprd the bindings that it sends the result to."""
    answer = await caller.callback.OnBindingEvent(event("retry", b"one"))

    assert answer == pb.BindingEventResponse(
        data=b"one", to=["mail", "files"], concurrency=pb.BindingEventResponse.PARALLEL
    )


FAILURES = {
    "rejected": (b"r", "", "no picture: expected a PNG"),
    "exit code": (b"f", "", "exit code 1"),
    "trap": (b"t", "", "unreachable"),
    "timeout": (b"s", "", "ran longer than 2 s"),
    "result not saved": (b"o", "-sent-on", "its result could not be sent on: no sidecar is configured"),
}


@pytest.mark.parametrize(("data", "place", "message"), FAILURES.values(), ids=FAILURES)
async def test_a_failure_to_be_retried(caller: Caller, data: bytes, place: str, message: str) -> None:
    """It is an error that the component learns of, and never one that daprd could take for success."""
    failure = await failure_of(caller.callback.OnBindingEvent(event(f"retry{place}", data)))

    assert failure.code is REFUSED
    assert failure.message.startswith("function 'retry': ")
    assert message in failure.message


@pytest.mark.parametrize(("data", "place"), [case[:2] for case in FAILURES.values()], ids=FAILURES)
async def test_a_failure_to_be_dropped(caller: Caller, data: bytes, place: str) -> None:
    """The component takes the event for done; nothing is sent to other bindings."""
    assert await caller.callback.OnBindingEvent(event(f"drop{place}", data)) == DROPPED


async def test_a_binding_that_no_function_receives(caller: Caller) -> None:
    """Its events are returned as errors."""
    failure = await failure_of(caller.callback.OnBindingEvent(event("other", b"")))

    assert (failure.code, failure.message) == (REFUSED, "binding 'other': no function receives it")


async def test_what_the_guest_gets(caller: Caller) -> None:
    """Data, its type, the binding's name and the component's metadata, but neither a token nor a forged name."""
    request = pb.BindingEventRequest(
        name="queue",
        data=b"abc",
        metadata={
            "Content-Type": "text/csv",
            "readTimeUTC": "now",
            "__key": "7",
            "traceparent": "00-old",
            "dapr-api-token": "secret",
        },
    )

    answer = await caller.callback.OnBindingEvent(request, metadata=(("traceparent", "00-new"),))

    variables = dict(pair.split("=", 1) for pair in answer.data.rstrip(b"\0").decode().split("\0"))
    assert variables == {
        "BINDING_NAME": "queue",
        "CONTENT_LENGTH": "3",
        "CONTENT_TYPE": "text/csv",
        "HTTP_READTIMEUTC": "now",
        "HTTP___KEY": "7",
        "HTTP_TRACEPARENT": "00-new",
        "LEVEL": "1",
        "PATH_INFO": "",
        "QUERY_STRING": "",
        "REQUEST_METHOD": "POST",
    }


async def test_the_second_crash(server: Server, caller: Caller) -> None:
    """An event that killed two workers in a row is taken for done, so that it doesn't come back for ever."""

    async def answer(*, is_killed: bool) -> pb.BindingEventResponse:
        await settled(server.process.pid, 2)
        delivery = asyncio.ensure_future(caller.callback.OnBindingEvent(event("work", b"w", attempt="1")))
        if is_killed:
            os.kill(await busy_worker(server.process.pid), signal.SIGKILL)
        response: pb.BindingEventResponse = await delivery
        return response

    first = await failure_of(answer(is_killed=True))
    second = await answer(is_killed=True)
    third = await answer(is_killed=False)

    assert (first.code, second, third.data) == (REFUSED, DROPPED, b"w")
    assert "its worker died while running it" in first.message


async def test_a_server_that_drains(start_server: StartServer, functions: Path) -> None:
    """What runs when the server is told to end is answered; what comes after that is returned."""
    async with start_server(functions, "--workers", "1") as running, connect(running.address) as caller:
        first = asyncio.ensure_future(caller.callback.OnBindingEvent(event("work", b"w")))
        await busy_worker(running.process.pid)
        running.process.signal(signal.SIGTERM)
        await asyncio.wait_for(running.process.stderr.match("draining"), 5)
        second = await failure_of(caller.callback.OnBindingEvent(event("work", b"ok")))

        assert ((await first).data, second.code) == (b"w", REFUSED)


async def test_no_event_is_lost_with_its_worker(start_server: StartServer, tmp_path: Path) -> None:
    """Of 1,000 events, while workers are killed at random, each is answered with its own result or returned."""
    chance = random.Random(18)
    write_function(tmp_path, "rest", trigger=binding("rest"))
    answered: dict[bytes, bytes] = {}
    returned: list[tuple[grpc.StatusCode, str]] = []
    async with start_server(tmp_path, "--workers", "2") as running, connect(running.address) as caller:
        waiting = [b"event %d" % number for number in range(EVENTS)]

        async def deliver_and_kill() -> None:
            while waiting:
                data = waiting.pop()
                try:
                    response = await caller.callback.OnBindingEvent(event("rest", data), timeout=15)
                except grpc.aio.AioRpcError as exc:
                    returned.append((exc.code(), exc.details() or ""))
                    waiting.insert(0, data)  # as a component does that delivers again, after all others
                else:
                    answered[data] = response.data
                workers = worker_pids(running.process.pid)
                if workers and len(answered) % EVENTS_A_KILL == 0 and len(answered) < EVENTS // 2:
                    os.kill(chance.choice(workers), signal.SIGKILL)

        await asyncio.gather(*(deliver_and_kill() for _ in range(AT_ONCE)))

    assert len(answered) == EVENTS
    assert {data: result for data, result in answered.items() if result != data} == {}
    assert returned
    died = "its worker died while running it"
    assert [each for each in returned if each[0] is not REFUSED or died not in each[1]] == []
