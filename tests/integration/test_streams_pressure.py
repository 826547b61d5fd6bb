"""Back-pressure both ways: whoever is slow stops the other, and nothing piles up between them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from integration.client import Caller, connect
from integration.conftest import StartServer
from integration.guests import write_functions
from integration.processes import busy_worker, resident_bytes, settled, until, worker_pids
from integration.stream_calls import StreamCall, open_call
from rig import Server
from wasm_grpc.core.model import KIB, MIB

pytestmark = pytest.mark.asyncio(loop_scope="module")

LONG = '[limits]\ntimeout = "unlimited"\noutput = "unlimited"\n'
GIB = 1024 * MIB
FLAT_BYTES = 24 * MIB
"""What a server and its workers together may grow by while a stream flows, or stands: 1 MiB is held a
stream, and gRPC and the sockets hold a few messages of 1 MiB each way."""
_STILL_LOOKS = 60
"""300 ms without a step."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(
    start_server: StartServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Server]:
    """Serve functions of 64 MiB, on one run slot."""
    functions = dict.fromkeys(("echo", "obey", "gush"), LONG)
    folder = write_functions(tmp_path_factory.mktemp("functions"), functions)
    async with start_server(folder, "--workers", "1", "--max-workers", "2") as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def caller(server: Server) -> AsyncIterator[Caller]:
    """Open a channel to the server."""
    async with connect(server.address) as channel:
        yield channel


async def still(count: list[int]) -> int:
    """Wait until the count has stopped, and return it."""
    looks, last = 0, -1

    def is_still() -> bool:
        nonlocal looks, last
        looks, last = (looks + 1 if count[0] == last else 0), count[0]
        return looks >= _STILL_LOOKS

    await until(is_still, "a count that stands still")
    return last


def endless(block: bytes) -> Iterator[memoryview]:
    """Return 1 MiB after another of a block that is repeated."""
    twice = memoryview(block * 3)
    at = 0
    while True:
        yield twice[at : at + MIB]
        at = (at + MIB) % len(block)


@pytest.mark.timeout(90)
async def test_1_gib_flows_through(server: Server, caller: Caller) -> None:
    """1 GiB goes through a function of 64 MiB whole, while nobody's memory grows."""
    block = random.Random(1).randbytes(MIB + 7)

    async def send(stream: StreamCall) -> None:
        pieces = endless(block)
        for _ in range(GIB // MIB):
            await stream.send(bytes(next(pieces)))
        await stream.end()

    async with open_call(caller, "echo", timeout_s=80) as stream:
        await stream.header()
        sending = asyncio.ensure_future(send(stream))
        received = 0
        first: dict[int, int] = {}
        last: dict[int, int] = {}
        thrice = memoryview(block * 3)
        while chunk := await stream.chunk():
            at = received % len(block)
            assert chunk == thrice[at : at + len(chunk)]
            received += len(chunk)
            if received % (8 * MIB) < len(chunk):
                highest = first if received < 128 * MIB else last
                for pid in (server.process.pid, *worker_pids(server.process.pid)):
                    highest[pid] = max(highest.get(pid, 0), resident_bytes(pid))
        await sending

    assert received == GIB
    assert len(first) == 3
    assert first.keys() == last.keys()
    assert sum(last[pid] - first[pid] for pid in first) < FLAT_BYTES


async def test_a_reader_that_stops_stops_the_guest(server: Server, caller: Caller) -> None:
    """A guest whose output is not taken waits; when it is taken again it goes on where it was."""
    pid = server.process.pid
    pids = (pid, *await settled(pid, 2))
    before = resident_bytes(*pids)
    async with open_call(caller, "gush") as stream:
        await stream.header()
        # One of them in the middle of its output.
        await settled(pid, 2)
        grown = resident_bytes(*pids) - before
        body = await stream.rest()

    assert grown < FLAT_BYTES
    assert len(body) == 64 * MIB
    assert [int.from_bytes(body[at : at + 4], "little") for at in range(0, len(body), 64 * KIB)] == list(
        range(1024)
    )


async def test_a_guest_that_does_not_read_stops_the_caller(server: Server, caller: Caller) -> None:
    """What is sent to a guest that computes waits at its caller."""
    pid = server.process.pid
    pids = (pid, *await settled(pid, 2))
    async with open_call(caller, "obey") as stream:
        await stream.header()
        await stream.send(b"spin")
        assert await stream.exactly(4) == b"spin"
        await busy_worker(pid)
        before = resident_bytes(*pids)
        sent = [0]

        async def send() -> None:
            for _ in range(64):
                await stream.send(bytes(MIB))
                sent[0] += 1

        sending = asyncio.ensure_future(send())
        try:
            count = await still(sent)
            grown = resident_bytes(*pids) - before
            assert not sending.done()
        finally:
            stream.call.cancel()
            await asyncio.wait([sending])

    # A window of 1 MiB on its way, and the message that is taken apart.
    assert 1 <= count <= 4
    assert grown < FLAT_BYTES
