"""Workers that are killed, busy or in demand: whose call fails, and whose doesn't."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
import pytest_asyncio

from integration.client import Caller, Failure, connect, failure_of
from integration.conftest import StartServer
from integration.guests import write_function, write_functions
from integration.processes import busy_worker, is_alive, settled, until, worker_pids
from rig import Server, child

pytestmark = pytest.mark.asyncio

CODES = grpc.StatusCode
SLOW = '[limits]\ntimeout = "15s"\n'


@pytest_asyncio.fixture
async def server(start_server: StartServer, tmp_path: Path) -> AsyncIterator[Server]:
    """Serve on two run slots, for one test."""
    functions = write_functions(
        tmp_path / "functions", {"echo": "[pool]\nqueue = 2000\n", "spin": SLOW, "work": SLOW}
    )
    write_function(functions, "one", guest="work", sections="[pool]\nmax = 1\nqueue = 1\n")
    for name in ("second", "third"):
        write_function(functions, name, guest="work")
    hurried = '[limits]\nqueue_wait = "200ms"\n[pool]\nmax = 1\n'
    write_function(functions, "hurried", guest="work", sections=hurried)
    async with start_server(functions, "--workers", "2", "--max-workers", "4") as running:
        await settled(running.process.pid, 3)
        yield running


@pytest_asyncio.fixture
async def caller(server: Server) -> AsyncIterator[Caller]:
    """Open a channel to the server."""
    async with connect(server.address) as channel:
        yield channel


async def test_killing_a_busy_worker_fails_its_call_alone(server: Server, caller: Caller) -> None:
    """Of 1,000 calls only the one whose worker is killed fails, with CRASHED; a new worker takes its place."""
    doomed = asyncio.ensure_future(failure_of(caller.start("spin")))
    worker = await busy_worker(server.process.pid)
    echoes = [asyncio.ensure_future(caller.invoke("echo", b"%d" % number)) for number in range(1000)]
    await asyncio.wait(echoes, return_when=asyncio.FIRST_COMPLETED)

    os.kill(worker, signal.SIGKILL)

    assert await doomed == Failure(
        code=CODES.INTERNAL,
        message="function 'spin': its worker died while running it (signal SIGKILL)",
        reason="CRASHED",
        function="spin",
    )
    assert [reply.body for reply in await asyncio.gather(*echoes)] == [b"%d" % n for n in range(1000)]
    assert not is_alive(worker)
    await until(lambda: len(worker_pids(server.process.pid)) == 3, "a worker in its place")


async def test_killing_workers_at_any_moment(server: Server, caller: Caller) -> None:
    """Each kill -9 in the middle of short calls fails one of them at the most; no reply is another's."""
    kills = 5
    numbers = iter(range(1000))
    failures: list[Failure] = []

    async def call_on() -> None:
        for number in numbers:
            body = b"%d" % number
            try:
                assert (await caller.invoke("echo", body)).body == body
            except grpc.aio.AioRpcError as exc:
                failures.append(await failure_of(_raise(exc)))

    callers = [asyncio.ensure_future(call_on()) for _ in range(8)]
    for _ in range(kills):
        await caller.invoke("echo", b"between")
        os.kill(worker_pids(server.process.pid)[0], signal.SIGKILL)
    await asyncio.gather(*callers)

    assert len(failures) <= kills
    assert {failure.reason for failure in failures} <= {"CRASHED"}


async def _raise(error: grpc.aio.AioRpcError) -> None:
    raise error


async def test_killing_idle_workers_loses_nothing(server: Server, caller: Caller) -> None:
    """Calls made right after every idle worker was killed are taken by new ones."""
    for worker in worker_pids(server.process.pid):
        os.kill(worker, signal.SIGKILL)

    replies = await asyncio.gather(*(caller.invoke("echo", b"%d" % number) for number in range(20)))

    assert [reply.body for reply in replies] == [b"%d" % number for number in range(20)]


async def test_a_cancelled_call_stops_its_guest(server: Server, caller: Caller) -> None:
    """A caller that cancels costs its worker at once, long before the time limit."""
    call = caller.start("spin")
    worker = await busy_worker(server.process.pid)

    call.cancel()

    await until(lambda: not is_alive(worker), "the worker's end")
    assert (await caller.invoke("echo", b"next")).body == b"next"


async def test_a_deadline_of_the_caller_stops_the_guest(server: Server, caller: Caller) -> None:
    """A caller's own deadline ends the guest too."""
    call = caller.start("spin", timeout_s=1)
    worker = await busy_worker(server.process.pid)

    failure = await failure_of(call)

    assert failure.code is CODES.DEADLINE_EXCEEDED
    await until(lambda: not is_alive(worker), "the worker's end")


async def test_a_killed_client_frees_the_worker(server: Server) -> None:
    """The guest of a client process that dies is stopped."""
    command = [sys.executable, "-m", "wasm_grpc", "invoke", "spin", "--address", server.address]
    async with child(*command) as client:
        worker = await busy_worker(server.process.pid)

        client.signal(signal.SIGKILL)

        await until(lambda: not is_alive(worker), "the worker's end")


async def test_a_full_queue_refuses(server: Server, caller: Caller) -> None:
    """With one running and one waiting, a function with max 1 and queue 1 takes no third call."""
    running = asyncio.ensure_future(caller.invoke("one"))
    await busy_worker(server.process.pid)
    waiting = asyncio.ensure_future(caller.invoke("one"))
    await caller.check_health()

    failure = await caller.fail("one")

    assert failure == Failure(
        code=CODES.RESOURCE_EXHAUSTED,
        message="function 'one': too many invocations wait; expected at most 1",
        reason="QUEUE_FULL",
        function="one",
        limit="pool.queue",
    )
    assert [reply.body for reply in await asyncio.gather(running, waiting)] == [b"done", b"done"]


async def test_waiting_has_a_limit(server: Server, caller: Caller) -> None:
    """A call that finds no free worker within the function's queue_wait fails, before its guest ran."""
    running = asyncio.ensure_future(caller.invoke("hurried"))
    await busy_worker(server.process.pid)

    failure = await caller.fail("hurried")

    assert failure == Failure(
        code=CODES.RESOURCE_EXHAUSTED,
        message="function 'hurried': waited longer than 0.2 s for a free worker",
        reason="QUEUE_WAIT",
        function="hurried",
        limit="limits.queue_wait",
    )
    assert (await running).body == b"done"


async def test_a_flooded_neighbour_holds_nobody_up(server: Server, caller: Caller) -> None:
    """A function with nothing running is served at once while another fills every run slot and its queue."""
    flood = [caller.start("spin") for _ in range(20)]
    await busy_worker(server.process.pid)

    replies = [(await caller.invoke("echo", b"%d" % number)).body for number in range(10)]

    assert replies == [b"%d" % number for number in range(10)]
    assert not any(call.done() for call in flood)
    for call in flood:
        call.cancel()


async def test_no_more_of_a_function_than_its_max(server: Server, caller: Caller) -> None:
    """Two calls of a function with max 1 run one after the other, though a run slot is free."""
    loop = asyncio.get_running_loop()
    started_s = loop.time()
    first = asyncio.ensure_future(caller.invoke("one"))
    await caller.check_health()

    await asyncio.gather(first, caller.invoke("one"))

    # Each computes for 800 ms of wall time, so the two side by side would take less.
    assert loop.time() - started_s >= 1.6


async def test_health_is_answered_while_all_workers_are_busy(server: Server, caller: Caller) -> None:
    """Health checks are answered while guests hold every run slot and others wait."""
    calls = [caller.start("spin") for _ in range(6)]
    await busy_worker(server.process.pid)

    for _ in range(20):
        await caller.check_health()

    assert not any(call.done() for call in calls)
    for call in calls:
        call.cancel()


async def test_workers_beyond_the_floor_retire(server: Server, caller: Caller) -> None:
    """A worker that was started beyond the slots and their spare goes when it has been idle for a while."""
    calls = [caller.start(method) for method in ("work", "one", "second", "third")]
    await until(lambda: len(worker_pids(server.process.pid)) == 4, "a worker beyond the spare")
    await asyncio.gather(*calls)
    workers = set(worker_pids(server.process.pid))

    await until(lambda: len(worker_pids(server.process.pid)) == 3, "the fourth worker's end", timeout_s=15)

    assert set(worker_pids(server.process.pid)) < workers


async def test_a_worker_holds_no_credentials(start_server: StartServer, tmp_path: Path) -> None:
    """A worker's environment has none of the server's tokens; its standard input and output lead nowhere."""
    functions = write_functions(tmp_path / "functions", {"echo": ""})
    async with start_server(functions, env={"APP_API_TOKEN": "secret", "DAPR_API_TOKEN": "secret"}) as server:
        worker = worker_pids(server.process.pid)[0]

        environment = Path(f"/proc/{worker}/environ").read_bytes()
        streams = [str(Path(f"/proc/{worker}/fd/{fd}").readlink()) for fd in (0, 1)]

    assert b"secret" not in environment
    assert streams == ["/dev/null", "/dev/null"]
