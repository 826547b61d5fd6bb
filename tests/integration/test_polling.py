"""Guests that wait for input or a clock, whichever comes first, and those that only look."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from integration.client import Caller, connect
from integration.conftest import StartServer
from integration.guests import assemble, write_functions
from integration.processes import settled
from integration.stream_calls import StreamCall, open_call
from rig import Server

pytestmark = pytest.mark.asyncio

BEAT = b"beat\n"
LONG = '[limits]\ntimeout = "15s"\nidle_timeout = "10s"\n'


@pytest_asyncio.fixture
async def server(start_server: StartServer, tmp_path: Path) -> AsyncIterator[Server]:
    """Serve with one run slot, and processes for several streams."""
    functions = write_functions(tmp_path, {"beats": LONG, "glance": LONG, "echo": ""})
    async with start_server(functions, "--workers", "1", "--max-workers", "5") as running:
        await settled(running.process.pid, 2)
        yield running


@pytest_asyncio.fixture
async def caller(server: Server) -> AsyncIterator[Caller]:
    """Open a channel to the server."""
    async with connect(server.address) as channel:
        yield channel


async def beats(stream: StreamCall, count: int) -> None:
    """Read so many beats."""
    assert await stream.exactly(count * len(BEAT)) == BEAT * count


async def test_a_stream_waits_for_input_or_the_clock(caller: Caller) -> None:
    """Timeouts fire while nothing comes; input is there at once; the end is seen."""
    async with open_call(caller, "beats") as stream:
        await stream.header()
        await beats(stream, 3)
        await stream.send(b"hello")
        heard = b""
        while not heard.endswith(b"hello"):
            heard += await stream.chunk()
        await beats(stream, 2)
        await stream.end()
        rest = await stream.rest()

    assert heard.removesuffix(b"hello") in {BEAT * count for count in range(20)}
    assert rest.removesuffix(b"done") in {BEAT * count for count in range(20)}
    assert rest.endswith(b"done")


async def test_a_guest_that_polls_lends_its_slot(caller: Caller) -> None:
    """Several guests that wait by poll, on one run slot, all beat, and others' calls are answered meanwhile."""
    async with open_call(caller, "beats") as one, open_call(caller, "beats") as other:
        for stream in (one, other):
            await stream.header()
        bodies = []
        for number in range(5):
            await asyncio.gather(beats(one, 1), beats(other, 1))
            bodies.append((await caller.invoke("echo", b"%d" % number)).body)
        for stream in (one, other):
            await stream.end()

    assert bodies == [b"%d" % number for number in range(5)]


async def test_a_read_that_does_not_block(caller: Caller) -> None:
    """Without input it is refused at once, and a guest that only looks gets its input all the same."""
    async with open_call(caller, "glance") as stream:
        await stream.header()
        await beats(stream, 1)
        await stream.send(b"seen")
        await stream.end()
        rest = await stream.rest()

    assert rest == b"seen"


async def test_a_whole_body_is_ready_at_once(caller: Caller) -> None:
    """In a call that is no stream there is nothing to wait for."""
    polled = await caller.invoke("beats", b"body")
    looked = await caller.invoke("glance", b"body")

    assert (polled.body, looked.body) == (b"bodydone", b"body")


async def test_poll_under_run(engine: str, tmp_path: Path, cache_environment: dict[str, str]) -> None:
    """`run` hands on what is typed when it comes, and the clock where nothing is."""
    (tmp_path / "beats.wasm").write_bytes(assemble("beats"))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "wasm_grpc", "run", "--engine", engine, "beats.wasm"),
        cwd=tmp_path,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, **cache_environment},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    lines = [await asyncio.wait_for(process.stdout.readline(), 15) for _ in range(3)]
    process.stdin.write(b"typed\n")
    while lines[-1] == BEAT:
        lines.append(await asyncio.wait_for(process.stdout.readline(), 10))
    lines.append(await asyncio.wait_for(process.stdout.readline(), 10))
    process.stdin.close()
    rest = await process.stdout.read()

    assert set(lines) == {BEAT, b"typed\n"}
    assert lines[-1] == BEAT
    assert rest.endswith(b"done")
    assert await process.wait() == 0
