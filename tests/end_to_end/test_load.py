"""Many calls at once through sidecars: everybody gets their own answer, and a dead worker costs its own call."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from end_to_end.app import App, run_app
from end_to_end.failures import Failure, failure_of
from integration.processes import until, worker_pids
from rig import Reply

__all__ = []

pytestmark = pytest.mark.asyncio(loop_scope="session")

CALLERS = 8
LARGE_BYTES = 90 << 20
"""More than any worker has but the one that runs `large`."""


def payloads(count: int) -> Iterator[bytes]:
    """Return distinct random bodies of up to 2 KiB."""
    return (number.to_bytes(4, "big") + random.randbytes(random.randrange(2048)) for number in range(count))


async def echo_all(app: App, bodies: Iterator[bytes], replies: dict[bytes, Reply]) -> None:
    """Have all callers echo what `bodies` still has, and note each answer by its question."""

    async def caller() -> None:
        for body in bodies:
            replies[body] = await app.invoke("echo", body)

    await asyncio.gather(*(caller() for _ in range(CALLERS)))


def wrong(replies: dict[bytes, Reply]) -> list[Reply]:
    """Return the answers that aren't their question."""
    return [reply for body, reply in replies.items() if (reply.status, reply.body) != (200, body)]


def resident_bytes(pid: int) -> int:
    """Return how much memory of a process is in use; 0 if there is none."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


async def test_everybody_gets_their_own_bytes(app: App) -> None:
    """Of 4,000 distinct random echoes from 8 callers, each gets its own bytes back."""
    replies: dict[bytes, Reply] = {}

    await echo_all(app, payloads(CALLERS * 500), replies)

    assert (len(replies), wrong(replies)) == (4000, [])


async def test_a_killed_worker_costs_its_own_call(
    engine: str, functions: Path, cache_environment: dict[str, str], tmp_path: Path
) -> None:
    """`kill -9` of a worker amid 1,000 calls fails the one that it was running, clearly, and no other."""
    replies: dict[bytes, Reply] = {}

    async with run_app(
        functions, tmp_path, "--engine", engine, "--workers", "2", env=cache_environment
    ) as app:
        lost = asyncio.ensure_future(app.invoke("large"))

        def victims() -> list[int]:
            return [pid for pid in worker_pids(app.server.process.pid) if resident_bytes(pid) > LARGE_BYTES]

        await until(lambda: bool(victims()), "a worker that runs 'large'")
        (victim,) = victims()
        others = asyncio.ensure_future(echo_all(app, payloads(999), replies))
        await until(lambda: len(replies) >= 500, "half of the answers")
        os.kill(victim, signal.SIGKILL)
        failure = failure_of(await lost)
        await others

    assert failure == Failure(
        status=500,
        message="function 'large': its worker died while running it (signal SIGKILL)",
        reason="CRASHED",
        function="large",
    )
    assert (len(replies), wrong(replies)) == (999, [])


async def test_killing_every_worker_costs_a_call_each(
    engine: str, functions: Path, cache_environment: dict[str, str], tmp_path: Path
) -> None:
    """`kill -9` of all workers amid 1,000 calls fails no more calls than workers, and those clearly."""
    replies: dict[bytes, Reply] = {}

    async with run_app(
        functions, tmp_path, "--engine", engine, "--workers", "2", env=cache_environment
    ) as app:
        calls = asyncio.ensure_future(echo_all(app, payloads(1000), replies))
        await until(lambda: len(replies) >= 500, "half of the answers")
        victims = worker_pids(app.server.process.pid)
        for victim in victims:
            os.kill(victim, signal.SIGKILL)
        await calls

    failures = [failure_of(reply) for reply in wrong(replies)]
    assert len(replies) == 1000
    assert len(failures) <= len(victims)
    assert {(failure.status, failure.reason, failure.function) for failure in failures} <= {
        (500, "CRASHED", "echo")
    }
