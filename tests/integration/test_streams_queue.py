"""Streams and run slots: who waits for a slow peer holds nobody up, and who has no place yet gets its turn."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
import pytest_asyncio

from integration.client import Caller, Failure, connect
from integration.conftest import StartServer
from integration.guests import write_function, write_functions
from integration.processes import worker_pids
from integration.stream_calls import Header, StreamCall, open_call
from rig import Server

pytestmark = pytest.mark.asyncio(loop_scope="module")

CODES = grpc.StatusCode
PLAIN = Header(content_type="application/octet-stream")
LONG = '[limits]\ntimeout = "unlimited"\noutput = "unlimited"\nqueue_wait = "60s"\n'


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(
    start_server: StartServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Server]:
    """Serve on one run slot and four processes: three streams at a time."""
    folder = write_functions(
        tmp_path_factory.mktemp("functions"), {"echo": LONG, "gush": LONG, "deaf": "", "act": ""}
    )
    for name, sections in {
        "alone": f"{LONG}[pool]\nmax = 1\nqueue = 1\n",
        "two": f"{LONG}[pool]\nmax = 2\n",
        "none": f"{LONG}[pool]\nmax = 1\nqueue = 0\n",
        "hurried": '[limits]\nqueue_wait = "300ms"\n[pool]\nmax = 1\n',
    }.items():
        write_function(folder, name, guest="echo", sections=sections)
    async with start_server(folder, "--workers", "1", "--max-workers", "4") as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def caller(server: Server) -> AsyncIterator[Caller]:
    """Open a channel to the server."""
    async with connect(server.address) as channel:
        yield channel


async def start(
    stack: contextlib.AsyncExitStack, caller: Caller, method: str, count: int
) -> list[StreamCall]:
    """Begin streams, and wait for each to run."""
    streams = [await stack.enter_async_context(open_call(caller, method)) for _ in range(count)]
    for stream in streams:
        assert await stream.header() == PLAIN
    return streams


async def finish(stream: StreamCall, payload: bytes) -> None:
    """Send a payload and the end, and get it back."""
    await stream.send_all(payload)
    assert await stream.rest() == payload


async def waits(caller: Caller, stream: StreamCall) -> asyncio.Task[Header]:
    """Wait for a stream's header, which doesn't come while others are answered."""
    header = asyncio.ensure_future(stream.header())
    for number in range(20):
        body = b"%d" % number
        assert (await caller.invoke("act", body)).body == body
        await caller.check_health()
    assert not header.done()
    return header


@pytest.mark.parametrize("method", ["echo", "gush"], ids=["no input comes", "no output is taken"])
async def test_a_guest_that_waits_lends_its_slot(caller: Caller, method: str) -> None:
    """On one run slot, calls and health are answered beside streams whose peers are slow."""
    async with contextlib.AsyncExitStack() as stack:
        streams = await start(stack, caller, method, 3)

        for number in range(10):
            body = b"%d" % number
            assert (await caller.invoke("echo", body)).body == body
            assert (await caller.invoke("deaf")).body == b"done"
            await caller.check_health()

        for stream in streams:
            if method == "echo":
                await finish(stream, b"at last")
            else:
                assert len(await stream.rest()) == 64 * 1024 * 1024


async def test_streams_never_take_every_process(caller: Caller) -> None:
    """One more than there are processes for waits, and begins when one ends."""
    async with contextlib.AsyncExitStack() as stack:
        first, *others = await start(stack, caller, "echo", 3)
        fourth = await stack.enter_async_context(open_call(caller, "echo"))
        header = await waits(caller, fourth)

        await finish(first, b"first")

        assert await header == PLAIN
        for stream in (*others, fourth):
            await finish(stream, b"other")


async def test_computing_guests_and_calls_take_turns(caller: Caller) -> None:
    """On one run slot streams that go on all the time and calls of their function all get on."""

    async def ping(stream: StreamCall) -> None:
        for number in range(100):
            await stream.send(b"%d" % number)
            assert await stream.chunk() == b"%d" % number

    async def call() -> None:
        for number in range(50):
            assert (await caller.invoke("echo", b"%d" % number)).body == b"%d" % number

    async with contextlib.AsyncExitStack() as stack:
        streams = await start(stack, caller, "echo", 3)

        await asyncio.gather(*map(ping, streams), *(call() for _ in range(4)))

        for stream in streams:
            await finish(stream, b"end")


async def test_max_counts_streams(caller: Caller) -> None:
    """A function's `max` holds for its streams, also while their guests wait, and for its calls beside them."""
    async with contextlib.AsyncExitStack() as stack:
        first, second = await start(stack, caller, "two", 2)
        third = await stack.enter_async_context(open_call(caller, "two"))
        header = await waits(caller, third)
        unary = asyncio.ensure_future(caller.invoke("two", b"called"))
        assert (await caller.invoke("act", b"1")).body == b"1"
        assert not unary.done()

        await finish(first, b"first")
        await finish(second, b"second")

        assert await header == PLAIN
        assert (await unary).body == b"called"
        await finish(third, b"third")


@pytest.mark.parametrize(("method", "places"), [("alone", 1), ("none", 0)])
async def test_a_full_queue(caller: Caller, method: str, places: int) -> None:
    """One stream more than may wait is refused at once; those that wait have their turn."""
    async with contextlib.AsyncExitStack() as stack:
        (running,) = await start(stack, caller, method, 1)
        waiting = [await stack.enter_async_context(open_call(caller, method)) for _ in range(places)]
        headers = [await waits(caller, stream) for stream in waiting]

        async with open_call(caller, method) as late:
            ending = await late.failure()

        assert ending == (
            b"",
            Failure(
                code=CODES.RESOURCE_EXHAUSTED,
                message=f"function '{method}': too many streams wait; expected at most {places}",
                reason="QUEUE_FULL",
                function=method,
                limit="pool.queue",
            ),
        )
        await finish(running, b"running")
        for header, stream in zip(headers, waiting, strict=True):
            assert await header == PLAIN
            await finish(stream, b"waited")


async def test_waiting_has_a_limit(caller: Caller) -> None:
    """A stream that gets no turn within its function's queue_wait fails."""
    async with contextlib.AsyncExitStack() as stack:
        (running,) = await start(stack, caller, "hurried", 1)

        async with open_call(caller, "hurried") as late:
            ending = await late.failure()

        assert ending == (
            b"",
            Failure(
                code=CODES.RESOURCE_EXHAUSTED,
                message="function 'hurried': waited longer than 0.3 s for a free worker",
                reason="QUEUE_WAIT",
                function="hurried",
                limit="limits.queue_wait",
            ),
        )
        await finish(running, b"running")


@pytest.mark.timeout(60)
async def test_200_streams_on_few_processes(start_server: StartServer, tmp_path: Path) -> None:
    """All have their turn and their own bytes, four at a time, while calls and health are answered."""
    write_functions(tmp_path, {"echo": f"{LONG}[pool]\nqueue = 200\n", "act": ""})
    ended = asyncio.Event()

    async def run(caller: Caller, number: int) -> None:
        payload = b"%d," % number * 1000
        async with open_call(caller, "echo", timeout_s=50) as stream:
            assert await stream.header() == PLAIN
            await stream.send(payload)
            assert await stream.exactly(len(payload)) == payload
            await finish(stream, payload[::-1])

    async def call(caller: Caller) -> int:
        count = 0
        while not ended.is_set():
            body = b"%d" % count
            assert (await caller.invoke("echo", body)).body == body
            assert (await caller.invoke("act", body)).body == body
            await caller.check_health()
            count += 1
        return count

    async with (
        start_server(tmp_path, "--workers", "2", "--max-workers", "6") as server,
        connect(server.address) as caller,
    ):
        calling = asyncio.ensure_future(call(caller))
        await asyncio.gather(*(run(caller, number) for number in range(200)))
        ended.set()

        assert await calling > 0
        assert len(worker_pids(server.process.pid)) <= 6


@pytest.mark.timeout(90)
async def test_50_slow_streams_on_two_slots(start_server: StartServer, tmp_path: Path) -> None:
    """With processes enough 50 streams run beside each other on two slots; calls and health are answered."""
    write_functions(tmp_path, {"echo": LONG, "act": ""})
    async with (
        start_server(tmp_path, "--workers", "2", "--max-workers", "52") as server,
        connect(server.address) as caller,
        contextlib.AsyncExitStack() as stack,
    ):
        streams = [
            await stack.enter_async_context(open_call(caller, "echo", timeout_s=80)) for _ in range(50)
        ]
        for number, stream in enumerate(streams):
            assert await stream.header() == PLAIN
            await stream.send(b"%d" % number)

        for method in ("echo", "act"):
            assert (await caller.invoke(method, b"1")).body == b"1"
        await caller.check_health()

        for number, stream in enumerate(streams):
            assert await stream.chunk() == b"%d" % number
            await finish(stream, b"end")
