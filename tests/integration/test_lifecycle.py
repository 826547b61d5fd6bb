"""A server's start and end: ports, signals, drain, and that nothing is left of it."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
import pytest_asyncio

from integration.client import Caller, Failure, connect, failure_of
from integration.conftest import StartServer
from integration.guests import write_functions
from integration.processes import busy_worker, children, is_alive, settled, until
from integration.stream_calls import open_call
from rig import Server, child

pytestmark = pytest.mark.asyncio

CODES = grpc.StatusCode
ENDED = Failure(
    code=CODES.UNAVAILABLE,
    message="function 'spin': the server stopped before the call was done; expected a retry on another server",
    reason="DRAINING",
    function="spin",
)
SLOW = '[limits]\ntimeout = "15s"\n'


@pytest.fixture
def functions(tmp_path: Path) -> Path:
    """Write functions that answer at once, in a while, and never."""
    return write_functions(tmp_path / "functions", {"echo": "", "work": SLOW, "spin": SLOW})


@pytest_asyncio.fixture
async def server(start_server: StartServer, functions: Path) -> AsyncIterator[Server]:
    """Serve with one run slot, its workers up."""
    async with start_server(functions, "--workers", "1") as running:
        await settled(running.process.pid, 2)
        yield running


async def test_the_ready_line(engine: str, start_server: StartServer, functions: Path) -> None:
    """Standard output has one line: the address, how many functions, the engine, how many workers."""
    async with start_server(functions, "--workers", "1") as server:
        assert server.process.stdout.lines == [
            f"serving 127.0.0.1:{server.port} (3 functions, {server.summary.split(', ')[1]}, 1 worker)"
        ]
    assert server.summary.split(", ")[1].startswith(f"{engine} ")
    assert len(server.process.stdout.lines) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
async def test_a_signal_drains(server: Server, number: signal.Signals) -> None:
    """A signal lets the running call finish, refuses new ones, and ends the server with exit code 0."""
    pid = server.process.pid
    async with connect(server.address) as caller, connect(server.address) as late:
        running = asyncio.ensure_future(caller.invoke("work"))
        await busy_worker(pid)
        processes = children(pid)

        server.process.signal(number)
        await server.process.stderr.match("draining")
        failure = await late.fail("echo")

        assert failure == Failure(
            code=CODES.UNAVAILABLE,
            message="the server is draining; expected a retry on another server",
            reason="DRAINING",
        )
        await late.check_health()
        assert (await running).body == b"done"
    assert await server.process.wait(timeout_s=5) == 0
    assert not any(map(is_alive, processes))


@pytest.mark.parametrize("attempt", range(5))
async def test_no_call_is_cancelled_by_a_stop(
    start_server: StartServer, functions: Path, attempt: int
) -> None:
    """Under load, calls end well or are told UNAVAILABLE, those that arrive in the server's last moment too."""
    codes: collections.Counter[grpc.StatusCode] = collections.Counter()

    async def call_on(caller: Caller) -> None:
        while True:
            try:
                await caller.invoke("echo", b"x")
            except grpc.aio.AioRpcError as error:
                codes[error.code()] += 1
                if "onnection refused" in (error.details() or ""):
                    return
            else:
                codes[CODES.OK] += 1

    async with start_server(functions, "--workers", "2") as server, contextlib.AsyncExitStack() as stack:
        callers = [await stack.enter_async_context(connect(server.address)) for _ in range(4)]
        calls = [asyncio.ensure_future(call_on(caller)) for caller in callers for _ in range(8)]
        while codes[CODES.OK] < 200:
            await asyncio.sleep(0)
        server.process.signal(signal.SIGTERM)
        assert await server.process.wait(timeout_s=10) == 0
        await asyncio.wait_for(asyncio.gather(*calls), 15)

    assert set(codes) == {CODES.OK, CODES.UNAVAILABLE}


async def test_ctrl_c_reaches_the_group(server: Server) -> None:
    """Ctrl-C, which the terminal sends to every process of the group, lets running calls finish."""
    async with connect(server.address) as caller:
        running = asyncio.ensure_future(caller.invoke("work"))
        await busy_worker(server.process.pid)

        os.killpg(server.process.pid, signal.SIGINT)

        assert (await running).body == b"done"
    assert await server.process.wait(timeout_s=5) == 0


async def test_a_stream_that_has_not_named_its_function_is_refused(
    start_server: StartServer, functions: Path
) -> None:
    """A stream whose header has not come runs nothing: it is told so at once, and holds up no drain."""
    async with start_server(functions, "--drain", "1h") as server:
        async with connect(server.address) as caller, open_call(caller, None) as stream:
            await stream.call.wait_for_connection()
            # On the same connection, so the server has the stream when it answers.
            await caller.invoke("echo")

            server.process.signal(signal.SIGTERM)

            assert await stream.failure() == (
                b"",
                Failure(
                    code=CODES.UNAVAILABLE,
                    message="the server is draining; expected a retry on another server",
                    reason="DRAINING",
                ),
            )
        assert await server.process.wait(timeout_s=5) == 0
        assert not [line for line in server.process.stderr.lines if "internal error" in line]


async def test_a_drain_has_a_limit(start_server: StartServer, functions: Path) -> None:
    """A call that runs longer than --drain is ended with the server."""
    async with start_server(functions, "--workers", "1", "--drain", "200ms") as server:
        await settled(server.process.pid, 2)
        async with connect(server.address) as caller:
            running = asyncio.ensure_future(failure_of(caller.start("spin")))
            worker = await busy_worker(server.process.pid)

            server.process.signal(signal.SIGTERM)

            assert await running == ENDED
        assert await server.process.wait(timeout_s=5) == 0
        assert not is_alive(worker)


async def test_a_second_signal_ends_at_once(start_server: StartServer, functions: Path) -> None:
    """A second signal doesn't wait for what runs, and still leaves no worker behind."""
    async with start_server(functions, "--workers", "1", "--drain", "1h") as server:
        workers = await settled(server.process.pid, 2)
        async with connect(server.address) as caller:
            running = asyncio.ensure_future(failure_of(caller.start("spin")))
            await busy_worker(server.process.pid)

            server.process.signal(signal.SIGTERM)
            await server.process.stderr.match("draining")
            server.process.signal(signal.SIGTERM)

            assert await server.process.wait(timeout_s=5) == 0
            assert await running == ENDED
        assert not any(map(is_alive, workers))


async def test_an_idle_server_ends_at_once(server: Server) -> None:
    """A server with open connections and no calls doesn't wait for the end of its drain."""
    async with connect(server.address) as caller:
        await caller.invoke("echo")

        server.process.signal(signal.SIGTERM)

        assert await server.process.wait(timeout_s=2) == 0


async def test_a_signal_while_it_starts(
    engine: str, functions: Path, tmp_path: Path, cache_environment: dict[str, str]
) -> None:
    """A server told to end before it is ready ends with 0, and serves nothing meanwhile."""
    environment = {**os.environ, **cache_environment, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    command = [sys.executable, "-m", "wasm_grpc", "serve", str(functions), "--port", "0", "--engine", engine]
    async with child(*command, env=environment) as process:
        await process.stderr.match("compiling")
        process.signal(signal.SIGTERM)

        assert await process.wait(timeout_s=5) == 0
        assert process.stdout.lines == []


async def test_a_killed_server_leaves_no_worker(server: Server) -> None:
    """`kill -9` of the server ends its workers too, one that computes included."""
    async with connect(server.address) as caller:
        call = asyncio.ensure_future(failure_of(caller.start("spin")))
        await busy_worker(server.process.pid)
        processes = children(server.process.pid)

        server.process.signal(signal.SIGKILL)

        assert (await call).code is CODES.UNAVAILABLE
    # Two workers, the template that they were forked from, and the base of that.
    assert len(processes) == 4
    await until(lambda: not any(map(is_alive, processes)), "the end of every process")


async def test_a_port_in_use(engine: str, functions: Path, cache_environment: dict[str, str]) -> None:
    """A port that is taken is exit code 1 and one line."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "wasm_grpc", "serve", str(functions)]
        command += ["--engine", engine, "--port", str(port)]

        async with child(*command, env={**os.environ, **cache_environment}) as process:
            code = await process.wait(timeout_s=15)
            with pytest.raises(EOFError):
                await process.stderr.match("no such line")

    assert code == 1
    assert process.stdout.lines == []
    assert process.stderr.lines == [
        f"wasm-grpc serve: port {port}: in use; expected a free one (--port, 0 takes any)"
    ]


async def test_app_port_names_the_port(
    start_server: StartServer, functions: Path, cache_environment: dict[str, str]
) -> None:
    """APP_PORT, which `dapr run` sets, is below the flag: --port 0 takes another."""
    async with start_server(functions, env={"APP_PORT": "1"}) as server:
        assert server.port != 1


async def test_a_damaged_artifact_is_compiled_again(
    start_server: StartServer, functions: Path, tmp_path: Path
) -> None:
    """A server whose artifacts are damaged, truncated or foreign warns, compiles again and serves."""
    environment = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    async with start_server(functions, env=environment):
        pass
    artifacts = sorted((tmp_path / "cache" / "wasm-grpc").glob("*.artifact"))
    sound = artifacts[0].read_bytes()
    artifacts[0].write_bytes(sound[:-1] + bytes([sound[-1] ^ 1]))
    artifacts[1].write_bytes(artifacts[1].read_bytes()[:50])
    artifacts[2].write_bytes(sound)

    async with start_server(functions, env=environment) as server, connect(server.address) as caller:
        reply = await caller.invoke("echo", b"whole")
        done = await caller.invoke("work")

    assert (reply.body, done.body) == (b"whole", b"done")
    warnings = [line.partition("artifact: ")[2] for line in server.process.stderr.lines]
    assert len({warning for warning in warnings if "the module is compiled again" in warning}) == 3


async def test_two_servers_share_a_cache(start_server: StartServer, functions: Path, tmp_path: Path) -> None:
    """Two servers that start at once over an empty cache both serve."""
    environment = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    async with (
        start_server(functions, env=environment) as one,
        start_server(functions, env=environment) as two,
        connect(one.address) as first,
        connect(two.address) as second,
    ):
        replies = await asyncio.gather(first.invoke("echo", b"1"), second.invoke("echo", b"2"))

    assert [reply.body for reply in replies] == [b"1", b"2"]


async def test_an_artifact_that_is_gone(start_server: StartServer, tmp_path: Path) -> None:
    """Where no worker can load a function any more, the caller is told so, without a host's path."""
    functions = write_functions(tmp_path / "functions", {"echo": "[pool]\nmin = 0\n"})
    environment = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    async with (
        start_server(functions, "--workers", "1", env=environment) as server,
        connect(server.address) as caller,
    ):
        for artifact in (tmp_path / "cache" / "wasm-grpc").glob("*.artifact"):
            artifact.unlink()

        failure = await caller.fail("echo")

    assert failure == Failure(
        code=CODES.UNAVAILABLE,
        message="function 'echo': it can't be loaded: artifact: the file is missing; "
        "expected it to exist while the server runs",
        reason="UNAVAILABLE",
        function="echo",
    )
