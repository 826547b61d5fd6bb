"""Hostile guests: each gets its answer in time, and a neighbour in the same server is served all the while."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
import wasmtime

from hostile.answering import OUTPUT, SECRET
from hostile.computing import SLEEP
from hostile.footprint import Footprint
from hostile.neighbour import called
from hostile.refused import COMPILED, REFUSED
from hostile.row import BRIEF, Row, command, late, trapped
from hostile.table import MODULE, ROWS, write_module, write_rows
from integration.client import Caller, Failure, connect, failure_in
from integration.commands import run_command
from integration.conftest import StartServer
from integration.guests import write_function
from integration.processes import settled, until
from integration.stream_calls import open_call
from rig import Server

pytestmark = pytest.mark.timeout(60)  # the time that counts is each row's own

NEIGHBOUR = "echo"
SLOTS = 2
GROWTH_BYTES = 32 << 20
"""What the server's memory may grow by through all rows; its allocator keeps some of what was freed."""
COMPILE_S = 5
QUIET = {"WASM_GRPC_LOG": "error"}
"""Without the compile process's own log, in which Wasmer prints its panics."""
TOO_SLOW = f"compiling it took longer than {COMPILE_S} s; expected less, or more time by WASM_GRPC_COMPILE_S"


@dataclass(frozen=True)
class Served:
    """A server with all guests of the table, and a channel for them and one for the neighbour."""

    server: Server
    caller: Caller
    neighbour: Caller
    before: Footprint


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(
    start_server: StartServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Served]:
    """Serve the table."""
    folder = tmp_path_factory.mktemp("hostile")
    write_rows(folder)
    for name, (start, _) in STREAMS.items():
        write_module(folder, name, bytes(wasmtime.wat2wasm(command(start))), manifest=BRIEF)
    write_function(folder, NEIGHBOUR, sections=f'[env]\nSECRET = "{SECRET.decode()}"\n')
    async with (
        start_server(folder, "--workers", str(SLOTS), "--max-workers", "6") as server,
        connect(server.address) as caller,
        connect(server.address) as neighbour,
    ):
        for channel in (caller, neighbour):
            await channel.invoke(NEIGHBOUR)
        pid = server.process.pid
        await settled(pid, SLOTS + 1)  # with the spare one
        yield Served(server, caller, neighbour, Footprint.of(pid))


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", ROWS)
async def test_a_hostile_guest_is_contained(served: Served, name: str) -> None:
    """Two callers at once each get the row's answers in time; the neighbour gives each its own bytes."""
    row = ROWS[name]
    began_s = time.monotonic()
    async with called(served.neighbour, NEIGHBOUR, SECRET) as answers:
        found = await asyncio.gather(*(_call_all(served.caller, name, row) for _ in range(2)))
    took_s = time.monotonic() - began_s

    for answered in found:
        assert answered == _expected(name, row, answered), f"it {row.tries}"
    assert answers.wrong == []
    assert took_s < row.within_s


async def _call_all(caller: Caller, name: str, row: Row) -> list[bytes | Failure]:
    return [await _answer(caller, name, body) for body, _ in row.calls]


async def _answer(caller: Caller, name: str, body: bytes) -> bytes | Failure:
    try:
        return (await caller.invoke(name, body)).body
    except grpc.aio.AioRpcError as error:
        return failure_in(error)


@pytest.fixture(scope="module")
def refusals(
    engine: str, cache_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, str]:
    """Check all modules of the table that are refused; return what was said of each."""
    folder = tmp_path_factory.mktemp("refused")
    for name, row in REFUSED.items():
        write_module(folder, name, row.wasm)
    found = run_command("check", folder, "--engine", engine, env={**cache_environment, **QUIET})
    assert found.code == 2
    return dict(line.split(f"/{MODULE}: ", 1) for line in found.errors)


@pytest.mark.parametrize("name", REFUSED)
def test_a_module_is_refused(refusals: Mapping[str, str], engine: str, name: str) -> None:
    """One line says what is wrong with the module and what was expected, before any of its code runs."""
    row = REFUSED[name]

    assert refusals[name] == row.line(engine), f"it {row.tries}"


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", COMPILED)
async def test_a_module_that_is_hard_to_compile(
    served: Served, engine: str, cache_environment: dict[str, str], tmp_path: Path, name: str
) -> None:
    """It is compiled or refused in time, in one line; the neighbour is served meanwhile."""
    bomb = COMPILED[name]
    write_module(tmp_path, name, bomb.wasm)
    environment = {**cache_environment, **QUIET, "WASM_GRPC_COMPILE_S": str(COMPILE_S)}

    began_s = time.monotonic()
    async with called(served.neighbour, NEIGHBOUR, SECRET) as answers:
        found = await asyncio.to_thread(run_command, "check", tmp_path, "--engine", engine, env=environment)
    took_s = time.monotonic() - began_s

    too_slow = f"{name}/{MODULE}: {engine}: {TOO_SLOW}"
    refusal = [f"{name}/{MODULE}: {bomb.said[engine]}"] if engine in bomb.said else []
    # What a busy machine compiles in time is up to chance.
    is_clear = (found.code, found.errors) in ((2, refusal), (2, [too_slow])) if found.code else not refusal
    assert is_clear, f"it {bomb.tries}: {found.stderr}"
    assert answers.wrong == []
    assert took_s < COMPILE_S + 10


STREAMS = {
    "stream-reads-nothing": ("(loop $ever (br $ever))", late()),
    "stream-takes-one-byte": (
        "(drop (call $read (i32.const 4096) (i32.const 1))) (loop $ever (br $ever))",
        late(),
    ),
    "stream-writes-for-ever": (
        "(loop $ever (call $write (i32.const 1) (i32.const 0) (i32.const 65536)) (br $ever))",
        OUTPUT,
    ),
    "stream-sleeps": (SLEEP, late()),
    "stream-closes-both": (
        "(drop (call $fd_close (i32.const 0))) (drop (call $fd_close (i32.const 1))) (unreachable)",
        trapped("unreachable"),
    ),
}
"""Guests that are called by a stream: what each does, and how the stream must end."""


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", STREAMS)
async def test_a_hostile_guest_of_a_stream(served: Served, name: str) -> None:
    """Its caller, who sends 4 MiB, gets the failure in time; the neighbour is served all the while."""
    _, ending = STREAMS[name]

    began_s = time.monotonic()
    async with (
        called(served.neighbour, NEIGHBOUR, SECRET) as answers,
        open_call(served.caller, name) as stream,
    ):
        sending = asyncio.ensure_future(stream.send_all(*(bytes(65_536),) * 64))
        await stream.header()
        _, failure = await stream.failure()
        await sending
    took_s = time.monotonic() - began_s

    assert failure == ending.of(name)
    assert answers.wrong == []
    assert took_s < 6


@pytest.mark.asyncio(loop_scope="module")
async def test_nothing_is_left_of_the_guests(served: Served) -> None:
    """After all rows the server has no more descriptors, children and threads than before, and hardly more memory."""
    pid = served.server.process.pid

    def is_back() -> bool:
        return Footprint.of(pid).is_within(served.before, growth_bytes=GROWTH_BYTES)

    # Workers that were ended are replaced meanwhile, and spare ones retire.
    await until(is_back, f"the server to hold no more than {served.before}", timeout_s=40)


def _expected(name: str, row: Row, found: list[bytes | Failure]) -> list[bytes | Failure]:
    """Return what must answer; of several answers that may, the one that did."""
    expected: list[bytes | Failure] = []
    for (_, answer), each in zip(row.calls, found, strict=True):
        if isinstance(answer, bytes):
            expected.append(answer)
        else:
            endings = [ending.of(name) for ending in (answer if isinstance(answer, tuple) else (answer,))]
            expected.append(each if each in endings else endings[0])
    return expected
