"""How streams end before their time: a status after what was written, and a worker that is free again."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
import pytest_asyncio

from integration.client import Caller, Failure, connect, failure_in
from integration.conftest import StartServer
from integration.guests import write_function, write_functions
from integration.processes import busy_worker, children, is_alive, settled, until, worker_pids
from integration.stream_calls import Header, StreamCall, open_call
from rig import Server, child
from wasm_grpc.core.model import KIB, MIB

pytestmark = pytest.mark.asyncio(loop_scope="module")

CODES = grpc.StatusCode
PLAIN = Header(content_type="application/octet-stream")
LONG = '[limits]\ntimeout = "unlimited"\noutput = "unlimited"\n'

CALLER = """
import asyncio, sys
import grpc
from wasm_grpc.v1 import functions_pb2 as pb

async def main():
    async with grpc.aio.insecure_channel(sys.argv[1]) as channel:
        call = channel.stream_stream(
            "/wasm_grpc.v1.Functions/Invoke",
            request_serializer=pb.InvokeRequest.SerializeToString,
            response_deserializer=pb.InvokeResponse.FromString,
        )()
        await call.write(pb.InvokeRequest(header=pb.RequestHeader(method=sys.argv[2])))
        await call.write(pb.InvokeRequest(chunk=sys.argv[3].encode()))
        print("began", (await call.read()).header.invocation_id, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(
    start_server: StartServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Server]:
    """Serve on one run slot and two processes: one stream at a time, and no process to spare."""
    functions = write_functions(
        tmp_path_factory.mktemp("functions"), {"echo": LONG, "spin": LONG, "gush": LONG}
    )
    for name, sections in {
        "obey": 'memory = "8MiB"\noutput = "1MiB"\ntimeout = "15s"',
        "late": 'timeout = "600ms"',
        "idle": 'timeout = "unlimited"\nidle_timeout = "1s"',
        "cpu": 'timeout = "15s"\ncpu = "200ms"',
    }.items():
        write_function(functions, name, guest="obey", sections=f"[limits]\n{sections}\n")
    limits = '[limits]\ntimeout = "unlimited"\noutput = "unlimited"\nidle_timeout = "500ms"\n'
    write_function(functions, "held", guest="gush", sections=limits)
    async with start_server(functions, "--workers", "1", "--max-workers", "2") as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def caller(server: Server) -> AsyncIterator[Caller]:
    """Open a channel to the server."""
    async with connect(server.address) as channel:
        yield channel


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def _all_is_well(server: Server, caller: Caller) -> AsyncIterator[None]:
    """After each test a stream and a call have their turn and their own bytes, and nothing of ours broke."""
    yield
    payload = random.randbytes(100_000)
    async with open_call(caller, "echo") as stream:
        await stream.send_all(payload)
        assert await stream.header() == PLAIN
        assert await stream.rest() == payload
    assert (await caller.invoke("echo", payload)).body == payload
    assert not [line for line in server.process.stderr.lines if "Traceback" in line or "internal" in line]


def failed(code: grpc.StatusCode, reason: str, function: str, message: str, *, limit: str = "") -> Failure:
    """Return the failure that a caller is to see, its limit by the key below ``limits``."""
    limit = limit and f"limits.{limit}"
    message = f"function '{function}': {message}"
    return Failure(code=code, message=message, reason=reason, function=function, limit=limit)


SAID = "no picture: expected a PNG"
FAILURES: dict[str, tuple[bytes, Failure]] = {
    "rejected": (
        b"r",
        failed(CODES.INVALID_ARGUMENT, "REJECTED", "obey", f"rejected the input: {SAID}"),
    ),
    "exit code": (
        b"f",
        failed(CODES.INTERNAL, "EXITED", "obey", f"exit code 3; it said: {SAID}"),
    ),
    "trap": (b"t", failed(CODES.INTERNAL, "TRAPPED", "obey", "unreachable")),
    "memory": (
        b"m",
        failed(CODES.INTERNAL, "OUT_OF_MEMORY", "obey", "out of memory; 8 of 8 MiB in use", limit="memory"),
    ),
    "output": (
        b"o",
        failed(
            CODES.RESOURCE_EXHAUSTED,
            "OUTPUT_LIMIT",
            "obey",
            "guest wrote over 1 MiB to standard output",
            limit="output",
        ),
    ),
}


@pytest.mark.parametrize("name", FAILURES)
async def test_a_failure_follows_what_was_written(caller: Caller, name: str) -> None:
    """However the guest fails in mid-stream, its output comes first and then the whole story."""
    piece, expected = FAILURES[name]
    async with open_call(caller, "obey") as stream:
        header = await stream.header()
        await stream.send(b"hello")
        assert await stream.exactly(5) == b"hello"
        await stream.send(piece)
        body, failure = await stream.failure()

    assert failure == expected
    assert failure.invocation_id == header.invocation_id
    # The flood is the guest's buffer of 64 KiB, whole as often as there is room for it.
    buffer = (piece + b"ello").ljust(64 * KIB, b"\0")
    assert body == piece + (buffer * 15 if piece == b"o" else b"")


async def ping(stream: StreamCall, *, for_s: float) -> None:
    """Send a chunk and wait for its echo, again and again."""
    loop = asyncio.get_running_loop()
    end_s = loop.time() + for_s
    while loop.time() < end_s:
        await stream.send(b"ping")
        assert await stream.exactly(4) == b"ping"


async def test_cpu_time_has_a_limit(caller: Caller) -> None:
    """Waiting costs none of it; computing does."""
    async with open_call(caller, "cpu") as stream:
        await stream.header()
        await stream.send(b"spin")

        body, failure = await stream.failure()

    expected = failed(
        CODES.DEADLINE_EXCEEDED, "CPU_LIMIT", "cpu", "used more than 0.2 s of CPU time", limit="cpu"
    )
    assert (body, failure) == (b"spin", expected)


async def test_the_timeout_runs_from_the_start(caller: Caller) -> None:
    """A stream on which something moves all the time ends when its time is over."""
    async with open_call(caller, "late") as stream:
        await stream.header()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await ping(stream, for_s=15)

    assert failure_in(caught.value) == failed(
        CODES.DEADLINE_EXCEEDED, "TIMEOUT", "late", "ran longer than 0.6 s", limit="timeout"
    )


IDLE = failed(
    CODES.DEADLINE_EXCEEDED, "TIMEOUT", "idle", "no chunk came or went for 1 s", limit="idle_timeout"
)


async def test_a_stream_that_rests_too_long(caller: Caller) -> None:
    """One on which nothing comes or goes is ended, its guest waiting or computing."""
    for pieces in ([], [b"spin"]):
        async with open_call(caller, "idle") as stream:
            await stream.header()
            await stream.send(*pieces)

            assert await stream.failure() == (b"".join(pieces), IDLE)


async def test_a_trickle_keeps_a_stream_alive(caller: Caller) -> None:
    """A stream lasts as long as something comes and goes now and then."""
    async with open_call(caller, "idle") as stream:
        await stream.header()
        await ping(stream, for_s=2.5)
        await stream.end()

        assert await stream.rest() == b""


async def test_a_slow_reader_keeps_a_stream_alive(caller: Caller) -> None:
    """So does output that is taken now and then, and nothing else."""
    loop = asyncio.get_running_loop()
    size = 0
    async with open_call(caller, "held") as stream:
        await stream.header()
        begin_s = loop.time()
        while chunk := await stream.chunk():
            size += len(chunk)
            # 64 chunks or more, so 1.2 s at least: twice as long as it may rest, and a bit.
            until_s = loop.time() + 0.02
            while loop.time() < until_s:
                assert (await caller.invoke("echo", b"1")).body == b"1"

        assert size == 64 * MIB
        assert loop.time() - begin_s > 1


async def test_a_reader_that_rests_too_long(server: Server, caller: Caller) -> None:
    """A guest whose output nobody takes is ended; what had been taken over comes before the status."""
    workers = await settled(server.process.pid, 2)
    async with open_call(caller, "held") as stream:
        await stream.header()
        await until(lambda: not all(map(is_alive, workers)), "the end of the guest")

        body, failure = await stream.failure()

    message = "no chunk came or went for 0.5 s"
    assert failure == failed(CODES.DEADLINE_EXCEEDED, "TIMEOUT", "held", message, limit="idle_timeout")
    # How much the caller's own gRPC takes ahead varies; it is never all.
    assert MIB <= len(body) < 64 * MIB
    numbers = [int.from_bytes(body[at : at + 4], "little") for at in range(0, len(body), 64 * KIB)]
    assert numbers[:-1] == list(range(len(numbers) - 1))


STAGES: dict[str, tuple[str, bytes, bool]] = {
    "before its guest reads": ("spin", b"piece", False),
    "while its guest waits": ("echo", b"piece", False),
    "while its guest computes": ("obey", b"spin", False),
    "while its output is held": ("gush", b"", False),
    "after its half-close": ("obey", b"spin", True),
}


async def test_a_caller_that_leaves_has_not_ended_its_input(server: Server) -> None:
    """The guest of a caller that is gone never learns that its input has ended: it would take it for whole."""
    seen: set[int] = set()
    for count in range(2, 7):
        # Each time a new worker stands for one that was ended; that of a guest that ended well lives on.
        seen.update(await settled(server.process.pid, 2))
        assert len(seen) == count
        async with connect(server.address) as caller, open_call(caller, "echo") as stream:
            header = await stream.header()
            await stream.send(b"half of it")
            assert await stream.exactly(10) == b"half of it"
            stream.call.cancel()
            line = f"{header.invocation_id}: CANCELLED"
            await asyncio.wait_for(server.process.stderr.match(line), 5)


@pytest.mark.parametrize("is_closed", [False, True], ids=["cancelled", "channel closed"])
@pytest.mark.parametrize("stage", STAGES)
async def test_a_caller_that_leaves(server: Server, stage: str, *, is_closed: bool) -> None:
    """A guest is ended at once, at whatever stage its caller cancels or is gone; its process is replaced."""
    method, piece, has_end = STAGES[stage]
    workers = await settled(server.process.pid, 2)
    async with connect(server.address) as caller, open_call(caller, method, timeout_s=None) as stream:
        invocation_id = (await stream.header()).invocation_id
        await stream.send(piece)
        if has_end:
            await stream.end()
        if method in ("spin", "obey"):
            await busy_worker(server.process.pid)
        elif method == "echo":
            assert await stream.exactly(len(piece)) == piece
        else:
            assert await settled(server.process.pid, 2) == workers

        if is_closed:
            await caller.channel.close()
        else:
            stream.call.cancel()
        await until(lambda: not all(map(is_alive, workers)), "the end of the guest", timeout_s=2)

    line = f"invocation {invocation_id}: CANCELLED: method '{method}': the caller is gone$"
    await asyncio.wait_for(server.process.stderr.match(line), 5)


async def test_a_caller_that_is_killed(server: Server) -> None:
    """`kill -9` of a caller ends its guest."""
    await settled(server.process.pid, 2)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", CALLER, server.address, "obey", "spin"]
    async with child(*command, env=environment) as process:
        began = await process.line(r"^began (\S+)$", timeout_s=10)
        worker = await busy_worker(server.process.pid)

        process.signal(signal.SIGKILL)

        await until(lambda: not is_alive(worker), "the end of the guest", timeout_s=2)
    line = f"invocation {began[1]}: CANCELLED: method 'obey': the caller is gone$"
    await asyncio.wait_for(server.process.stderr.match(line), 5)


async def test_the_deadline_of_the_call(server: Server, caller: Caller) -> None:
    """The caller's own deadline ends the guest too."""
    await settled(server.process.pid, 2)
    async with open_call(caller, "spin", timeout_s=0.5) as stream:
        await stream.header()
        worker = await busy_worker(server.process.pid)

        body, failure = await stream.failure()

        assert (body, failure.code) == (b"", CODES.DEADLINE_EXCEEDED)
        await until(lambda: not is_alive(worker), "the end of the guest", timeout_s=2)


async def test_a_caller_that_leaves_before_it_says_what_it_calls(server: Server, caller: Caller) -> None:
    """It costs nobody anything."""
    workers = await settled(server.process.pid, 2)
    async with open_call(caller, None) as stream:
        await stream.call.wait_for_connection()
        stream.call.cancel()

    async with open_call(caller, "echo") as stream:
        assert await stream.header() == PLAIN
        await stream.end()
        assert await stream.rest() == b""
    assert worker_pids(server.process.pid) == workers


async def test_a_caller_that_leaves_the_queue(server: Server, caller: Caller) -> None:
    """A stream that waits for its turn can be cancelled: the one that runs goes on, the next has its turn."""
    async with open_call(caller, "echo") as running, open_call(caller, "echo") as third:
        assert await running.header() == PLAIN
        async with open_call(caller, "late") as waiting:
            # The server starts calls in the order of their arrival, so this one starts last.
            assert (await caller.invoke("echo", b"1")).body == b"1"
            waiting.call.cancel()
            line = "CANCELLED: method 'late': the caller is gone$"
            await asyncio.wait_for(server.process.stderr.match(line), 5)

        await running.send_all(b"mine")
        assert await running.rest() == b"mine"
        assert await third.header() == PLAIN
        await third.send_all(b"yours")
        assert await third.rest() == b"yours"


async def test_a_worker_that_is_killed(server: Server, caller: Caller) -> None:
    """A stream whose worker dies fails, after what had come from it; it never ends well."""
    async with open_call(caller, "echo") as stream:
        header = await stream.header()
        await stream.send(b"piece")
        assert await stream.exactly(5) == b"piece"
        for worker in worker_pids(server.process.pid):
            os.kill(worker, signal.SIGKILL)

        body, failure = await stream.failure()

    message = "its worker died while running it (signal SIGKILL)"
    assert (body, failure) == (b"", failed(CODES.INTERNAL, "CRASHED", "echo", message))
    assert failure.invocation_id == header.invocation_id


async def test_a_worker_that_is_killed_before_it_begins(server: Server, caller: Caller) -> None:
    """A worker found dead before its guest began is no failure: another takes the stream, input and all."""
    workers = await settled(server.process.pid, 2)
    for worker in workers:
        os.kill(worker, signal.SIGSTOP)
    async with open_call(caller, "echo") as stream:
        await stream.send_all(b"piece")
        assert await stream.header() == PLAIN
        for worker in workers:
            os.kill(worker, signal.SIGKILL)

        assert await stream.rest() == b"piece"


@pytest.mark.timeout(60)
async def test_nothing_is_left_of_streams_that_end_anyhow(start_server: StartServer, tmp_path: Path) -> None:
    """Callers that leave at any moment cost no other its bytes, and the server no word of its own fault."""
    chance = random.Random(7)
    patient = f'{LONG}queue_wait = "60s"\n'
    functions = write_functions(tmp_path, dict.fromkeys(("echo", "gush", "obey", "deaf"), patient))

    async def leave(server: Server) -> None:
        async with connect(server.address) as caller:
            method = chance.choice(["echo", "gush", "obey", "deaf"])
            async with open_call(caller, method) as stream:
                pieces = chance.randrange(8)
                sending = asyncio.ensure_future(stream.send(*[b"x" + bytes(200_000)] * pieces))
                # Never more than will come.
                left = chance.randrange(pieces * 200_001 + 1)
                while left > 0 and (message := await stream.message()) is not None:
                    left -= len(message.chunk)
                if chance.random() < 0.5:
                    await caller.channel.close()
                sending.cancel()
                await asyncio.wait([sending])

    async def stay(server: Server) -> None:
        async with connect(server.address) as caller:
            for _ in range(10):
                payload = chance.randbytes(300_000)
                async with open_call(caller, "echo") as stream:
                    await stream.send_all(payload)
                    await stream.header()
                    assert await stream.rest() == payload

    async with start_server(functions, "--workers", "2", "--max-workers", "6") as server:
        await asyncio.gather(stay(server), stay(server), *(leave(server) for _ in range(16)))
        await stay(server)

        lines = server.process.stderr.lines
        assert not [line for line in lines if "Traceback" in line or "internal" in line or "Task" in line]


async def test_a_drain_lets_streams_finish(start_server: StartServer, tmp_path: Path) -> None:
    """A server that drains takes no new stream; one that runs may go on, and the server ends with it."""
    functions = write_functions(tmp_path, {"echo": LONG})
    async with start_server(functions, "--workers", "1", "--drain", "10s") as server:
        async with connect(server.address) as caller, open_call(caller, "echo") as stream:
            await stream.header()

            server.process.signal(signal.SIGTERM)
            await server.process.stderr.match("draining")
            async with open_call(caller, "echo") as late:
                _, failure = await late.failure()
            await stream.send_all(b"to the end")

            assert failure == Failure(
                code=CODES.UNAVAILABLE,
                message="the server is draining; expected a retry on another server",
                reason="DRAINING",
            )
            assert await stream.rest() == b"to the end"
        assert await server.process.wait(timeout_s=5) == 0


async def test_a_drain_has_a_limit(start_server: StartServer, tmp_path: Path) -> None:
    """A stream that lasts longer than --drain is ended with the server, and no process is left."""
    functions = write_functions(tmp_path, {"echo": LONG})
    async with start_server(functions, "--workers", "1", "--drain", "300ms") as server:
        async with connect(server.address) as caller, open_call(caller, "echo") as stream:
            await stream.header()
            processes = children(server.process.pid)

            server.process.signal(signal.SIGTERM)

            assert await stream.failure() == (
                b"",
                Failure(
                    code=CODES.UNAVAILABLE,
                    message="function 'echo': the server stopped before the call was done; expected a retry on another server",
                    reason="DRAINING",
                    function="echo",
                ),
            )
        assert await server.process.wait(timeout_s=5) == 0
        assert not any(map(is_alive, processes))
        assert not [line for line in server.process.stderr.lines if "Traceback" in line]
