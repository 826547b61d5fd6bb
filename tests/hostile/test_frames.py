"""Workers that were taken over, and send what they must not: each loses its life, and nobody else anything."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest

from hostile.attacks import LIES, MALFORMED
from hostile.conftest import StartHostile
from integration.client import Caller, connect, failure_in
from integration.guests import write_function, write_functions
from integration.stream_calls import open_call
from rig import Server
from wasm_grpc.core.wire import Kind

__all__: list[str] = []

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(90)]

KINDS = [kind.name for kind in Kind]
ENDED = "CRASHED: function 'echo': its worker died while running it (signal SIGKILL)"
TIGHT = '[limits]\noutput = "1KiB"\ntimeout = "2s"\n'
GRANTED = '[capabilities]\ndapr.state = ["store/*"]\n'


@asynccontextmanager
async def caller_of(
    start_hostile: StartHostile, folder: Path, sections: str = TIGHT, **moments: str
) -> AsyncIterator[tuple[Server, Caller]]:
    """Serve the function `echo`, and a neighbour that nobody attacks."""
    functions = write_functions(folder / "functions", {"echo": sections})
    write_function(functions, "neighbour", guest="echo")
    async with (
        start_hostile(functions, "--workers", "1", **moments) as server,
        connect(server.address) as caller,
    ):
        yield server, caller


async def attack(caller: Caller, query: str, method: str = "echo") -> str:
    """Return how a call ended whose worker attacks, once the neighbour was served as ever."""
    try:
        ended = (await caller.invoke(method, query=query)).body.decode()
    except grpc.aio.AioRpcError as exc:
        failure = failure_in(exc)
        ended = f"{failure.reason}: {failure.message}"
    begun_s = time.monotonic()
    assert (await caller.invoke("neighbour", b"next")).body == b"next"
    # It takes milliseconds; a worker is forked for it on a busy machine.
    assert time.monotonic() - begun_s < 4
    return ended


async def attack_stream(caller: Caller, query: str) -> str:
    """Return how a stream ended whose worker attacks."""
    async with open_call(caller, "echo", query=query) as call:
        await call.end()
        try:
            await call.header()
            return (await call.rest()).decode()
        except grpc.aio.AioRpcError as exc:
            failure = failure_in(exc)
            return f"{failure.reason}: {failure.message}"


@pytest.mark.parametrize(
    ("state", "allowed"),
    [("unbegun", {}), ("begun", {"RESULT": "done"})],
    ids=["before the guest has begun", "while the guest runs"],
)
async def test_a_message_in_the_wrong_state(
    start_hostile: StartHostile, tmp_path: Path, state: str, allowed: dict[str, str]
) -> None:
    """Of all messages a worker may only send its result, and that once."""
    async with caller_of(start_hostile, tmp_path) as (server, caller):
        ended = {kind: await attack(caller, f"{state}={kind}") for kind in KINDS}
        slower = [line for line in server.process.stderr.lines if "ever more slowly" in line]

    assert ended == {kind: allowed.get(kind, ENDED) for kind in KINDS}
    assert slower == [], "the neighbour would wait"


async def test_a_message_after_the_result(start_hostile: StartHostile, tmp_path: Path) -> None:
    """The call has its result, and the worker is ended before it gets another."""
    async with caller_of(start_hostile, tmp_path) as (server, caller):
        ended = {kind: await attack(caller, f"after-result={kind}") for kind in KINDS}
        breaches = [line for line in server.process.stderr.lines if "what the wire does not allow" in line]

    assert ended == dict.fromkeys(KINDS, "done")
    assert len(breaches) == len(KINDS)


async def test_a_message_during_a_stream(start_hostile: StartHostile, tmp_path: Path) -> None:
    """A streaming guest may also write, and ask for input."""
    async with caller_of(start_hostile, tmp_path) as (_, caller):
        ended = {kind: await attack_stream(caller, f"begun={kind}") for kind in KINDS}

    # A stream's result holds no output.
    allowed = {"OUTPUT": "done", "READ": ""}
    assert ended == {kind: allowed.get(kind, ENDED) for kind in KINDS}


async def test_a_message_in_place_of_an_answer_of_dapr(start_hostile: StartHostile, tmp_path: Path) -> None:
    """While its guest waits for Dapr, a worker may send nothing."""
    async with caller_of(start_hostile, tmp_path, GRANTED) as (_, caller):
        ended = {kind: await attack(caller, f"after-call={kind}") for kind in KINDS}

    assert ended == dict.fromkeys(KINDS, ENDED)


async def test_a_message_in_place_of_loaded(start_hostile: StartHostile, tmp_path: Path) -> None:
    """A worker answers LOAD, and with nothing else; the function that it could not load is refused."""
    names = {kind: f"load-{kind.lower().replace('_', '-')}" for kind in KINDS}
    for name in names.values():
        write_function(tmp_path / "functions", name, guest="echo", sections="[pool]\nmin = 0\n")
    async with caller_of(start_hostile, tmp_path, at_load="loading") as (_, caller):
        ended = {kind: await attack(caller, "", name) for kind, name in names.items()}

    died = "UNAVAILABLE: function '{}': it can't be loaded: its worker died while loading it (signal SIGKILL)"
    # The index of LOADED and LOAD_FAILED is another function's.
    assert ended == {kind: died.format(name) for kind, name in names.items()}


async def test_results_beyond_the_limits(start_hostile: StartHostile, tmp_path: Path) -> None:
    """A function's limits are checked again, and so is each field that its caller is told."""
    async with caller_of(start_hostile, tmp_path) as (_, caller):
        ended = {lie: await attack(caller, f"lie={lie.replace(' ', '+')}") for lie in LIES}

    assert ended == dict.fromkeys(LIES, ENDED)


async def test_malformed_messages(start_hostile: StartHostile, tmp_path: Path) -> None:
    """Bytes that are no message end the worker at the first that is wrong."""
    async with caller_of(start_hostile, tmp_path) as (_, caller):
        ended = {fault: await attack(caller, f"malform={fault.replace(' ', '+')}") for fault in MALFORMED}

    assert ended == dict.fromkeys(MALFORMED, ENDED)


async def test_a_slow_message(start_hostile: StartHostile, tmp_path: Path) -> None:
    """A result that comes byte by byte is one; one that never ends costs the guest's time, and no more."""
    async with caller_of(start_hostile, tmp_path) as (_, caller):
        ended = [await attack(caller, query) for query in ("drip", "never-end")]

    assert ended == ["done", "TIMEOUT: function 'echo': ran longer than 2 s"]
