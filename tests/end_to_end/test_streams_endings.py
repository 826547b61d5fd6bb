"""Streams through sidecars that end before their time: whoever goes, nothing hangs and nothing looks whole that isn't."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest

from end_to_end.app import APP_ID, App, run_app
from end_to_end.streams import WAYS, Way, at_rest, open_way
from integration.client import Failure
from integration.processes import is_alive, until, worker_pids
from integration.stream_calls import StreamCall
from rig import Child, child, installed_command, serve
from rig.environment import clean_environment

__all__ = []

pytestmark = pytest.mark.asyncio(loop_scope="session")

AT_ONCE_S = 5.0
"""Far less than any limit that would end the guest otherwise; a worker starts in that time on a busy machine."""
LEAVERS = 10
GUSH_BYTES = 64 << 20


@asynccontextmanager
async def spinning(way: Way, *, timeout_s: float | None = None) -> AsyncIterator[StreamCall]:
    """Have a guest compute for ever."""
    async with way.open("obey", timeout_s=timeout_s) as call:
        await call.header()
        await call.send(b"s")
        assert await call.exactly(1) == b"s"
        yield call


async def stopped_and_free(way: Way) -> None:
    """Check that a guest is stopped at once: its function has but one run slot, and a call of it is served now."""
    reply = await asyncio.wait_for(way.app.invoke("obey", b"e"), AT_ONCE_S)
    assert (reply.status, reply.body) == (200, b"e")
    await at_rest(way.server_pid)


async def test_a_cancelled_call_stops_its_guest(way: Way) -> None:
    """A caller that cancels is heard of through every sidecar."""
    async with spinning(way) as call:
        call.call.cancel()
        await stopped_and_free(way)


async def test_a_caller_that_leaves_amid_its_input_has_not_ended_it(way: Way) -> None:
    """Its guest is stopped, and never takes the part for the whole: it would end well, and not be logged."""
    ids = []

    for _ in range(LEAVERS):
        async with way.open("echo") as call:
            ids.append((await call.header()).invocation_id)
            await call.send(b"the first half")
            await call.exactly(14)

    log = way.app.server.process.stderr
    for invocation_id in ids:
        await asyncio.wait_for(log.match(rf"invocation {invocation_id}: CANCELLED: "), AT_ONCE_S)


async def test_a_callers_deadline_stops_its_guest(way: Way) -> None:
    """So is one whose time is over."""
    # No part of the time is to go by for the start of a worker in place of one that was killed.
    await stopped_and_free(way)

    async with spinning(way, timeout_s=2.0) as call:
        came, failure = await call.failure()
        await stopped_and_free(way)

    # The deadline goes along: where the server or a sidecar is the first to see it pass, it cancels.
    assert failure.code in {grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED}
    assert (came, failure.reason) == (b"", "")


async def test_a_killed_caller_stops_its_guest(way: Way, tmp_path: Path) -> None:
    """A program that is gone without a word is missed at once too."""
    body = tmp_path / "body"
    body.write_bytes(b"s\n")
    command = ["invoke", "obey", "--stream", "--app-id", APP_ID, "--data", str(body)]

    async with child(
        installed_command(), *command, env=clean_environment(way.sidecar.app_environment)
    ) as program:
        await program.line("^s$", timeout_s=10)
        program.signal(signal.SIGKILL)
        await stopped_and_free(way)


def kill_workers(way: Way) -> None:
    """`kill -9` every worker, the one with the guest too."""
    for worker in worker_pids(way.server_pid):
        os.kill(worker, signal.SIGKILL)


async def test_a_killed_worker_fails_its_stream(way: Way) -> None:
    """The caller has what came before, and is told that it isn't all."""
    async with spinning(way) as call:
        kill_workers(way)
        came, failure = await call.failure()
        await stopped_and_free(way)

    assert (came, failure) == (
        b"",
        Failure(
            code=grpc.StatusCode.INTERNAL,
            message="function 'obey': its worker died while running it (signal SIGKILL)",
            reason="CRASHED",
            function="obey",
        ),
    )


async def test_a_result_that_is_cut_short_is_a_failure(way: Way) -> None:
    """Killed amid 64 MiB of output, what comes is the beginning of it, and then the failure."""
    async with way.open("gush") as call:
        await call.header()
        came = await call.chunk()
        kill_workers(way)
        rest, failure = await call.failure()

    came += rest
    assert (failure.code, failure.reason) == (grpc.StatusCode.INTERNAL, "CRASHED")
    assert len(came) < GUSH_BYTES
    assert [came[at : at + 4] for at in range(0, len(came) - 3, 65_536)] == [
        number.to_bytes(4, "little") for number in range((len(came) + 65_532) // 65_536)
    ]


BETWEEN = [
    ("server", "own"),
    ("server", "remote"),
    ("sidecar", "own"),
    ("sidecar", "remote"),
    ("caller", "remote"),
]
"""What is between a caller and a guest, each way."""


@asynccontextmanager
async def own_app(functions: Path, folder: Path, env: dict[str, str], *flags: str) -> AsyncIterator[App]:
    """Run an app whose parts a test may end."""
    only = ["--only", "echo", "obey", "--workers", "1"]
    async with run_app(functions, folder, *only, *flags, env=env, body_limit_bytes=None) as app:
        yield app


def part_of(app: App, part: str) -> Child:
    """Return the process of a part of an app."""
    processes = {"server": app.server.process, "sidecar": app.sidecar.process, "caller": app.caller.process}
    return processes[part]


@pytest.mark.parametrize(("part", "name"), BETWEEN)
async def test_a_part_that_is_killed_fails_the_stream(
    part: str, name: str, stream_functions: Path, cache_environment: dict[str, str], tmp_path: Path
) -> None:
    """Whichever dies between caller and guest, the caller is told UNAVAILABLE, and no guest is left behind."""
    async with (
        own_app(stream_functions, tmp_path, cache_environment) as app,
        open_way(app, name) as way,
        spinning(way) as call,
    ):
        workers = worker_pids(way.server_pid)
        part_of(app, part).signal(signal.SIGKILL)
        came, failure = await call.failure()
        # One is the guest's; another may have been started in its place, unless the server is gone.
        await until(lambda: not all(map(is_alive, workers)), "the guest's end", timeout_s=AT_ONCE_S)
        await at_rest(way.server_pid)

    assert (came, failure.code, failure.reason) == (b"", grpc.StatusCode.UNAVAILABLE, "")
    assert failure.message


@pytest.mark.parametrize("name", WAYS)
async def test_a_server_that_is_started_anew_takes_streams(
    name: str, stream_functions: Path, cache_environment: dict[str, str], tmp_path: Path
) -> None:
    """A drain that is over fails what still streams; the next server on the port is called by the same sidecars."""
    drain = ["--drain", "300ms"]

    async with (
        own_app(stream_functions, tmp_path, cache_environment, *drain) as app,
        open_way(app, name) as way,
    ):
        async with spinning(way) as call:
            app.server.process.signal(signal.SIGTERM)
            came, failure = await call.failure()
        code = await app.server.process.wait(timeout_s=10)
        env = {**cache_environment, **app.sidecar.app_environment}
        again = serve(stream_functions, "--only", "echo", port=app.server.port, env=env)
        async with again, way.open("echo") as call:
            await call.header()
            await call.send(b"again")
            answer = await call.exactly(5)

    assert (came, failure) == (
        b"",
        Failure(
            code=grpc.StatusCode.UNAVAILABLE,
            message="function 'obey': the server stopped before the call was done; expected a retry on another server",
            reason="DRAINING",
            function="obey",
        ),
    )
    assert (code, answer) == (0, b"again")


@pytest.mark.parametrize("part", ["sidecar", "caller"])
async def test_a_sidecar_that_is_asked_to_end_lets_a_stream_finish(
    part: str, stream_functions: Path, cache_environment: dict[str, str], tmp_path: Path
) -> None:
    """SIGTERM of either cuts nothing: what streams goes on (daprd waits for it up to 30 s), then daprd is gone."""
    async with own_app(stream_functions, tmp_path, cache_environment) as app:
        async with open_way(app, "remote") as way, way.open("echo") as call:
            await call.header()
            part_of(app, part).signal(signal.SIGTERM)
            log = {"sidecar": app.sidecar, "caller": app.caller}[part].log_file
            await until(lambda: "beginning shutdown" in log.read_text(), "daprd's farewell")
            await call.send(b"still")
            answer = await call.exactly(5)
            await call.end()
            rest = await call.rest()
        code = await part_of(app, part).wait(timeout_s=10)

    assert (answer, rest, code) == (b"still", b"", 0)
