"""
No message is lost, whatever dies: workers killed at random, the server killed and restarted.

`LOSS_MESSAGES` is how many messages flow (2,000), `LOSS_SEED` what the random choices begin with.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from end_to_end.ended_messages import EndedMessages, follow
from end_to_end.topics import publish, topic_sidecar, topic_trigger, write_topic_function
from integration.processes import worker_pids
from rig import Daprd, Server, broker, serve

__all__ = []

MESSAGES = int(os.environ.get("LOSS_MESSAGES", "2000"))
SEED = os.environ.get("LOSS_SEED", "") or str(random.randrange(2**32))
TIMEOUT_S = 60 + MESSAGES // 50
"""Until every message has to be found again: some seven times what it takes."""

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(TIMEOUT_S + 30)]

TOPIC = "messages"
RESULTS = "results"
DEAD_LETTERS = "dead-letters"
MANIFEST = (
    f'dead_letter = "{DEAD_LETTERS}"',
    f'then = {{ publish = {{ pubsub = "pubsub", topic = "{RESULTS}" }} }}',
)
WORKERS = 4
"""Each rests most of the time that it is busy."""
PUBLISHERS = 4
AHEAD = 400
"""Messages that may wait in the broker, so that they flow from the beginning to the end."""
KILL_EVERY = 150
"""The most messages that end between two kills."""
END_TIMEOUT_S = 10.0
"""Longer than a server drains."""


@dataclass
class Run:
    """One run of the test: its random choices, and what was seen in it."""

    choices: random.Random
    ended: EndedMessages
    kills: int = 0
    log: list[str] = field(default_factory=list)

    def said(self, what: str) -> int:
        """Return how many lines of all servers' logs hold `what`."""
        return sum(what in line for line in self.log)


async def publish_all(sidecar: Daprd, ended: EndedMessages) -> None:
    """Publish every message, some ahead of those that have ended."""
    numbers = iter(range(MESSAGES))

    async def publisher() -> None:
        for number in numbers:
            await ended.until(number - AHEAD)
            await publish(sidecar, TOPIC, f"m{number}".encode())

    await asyncio.gather(*(publisher() for _ in range(PUBLISHERS)))


async def kill_workers(server: Server, run: Run) -> None:
    """Kill a worker after every few messages, for ever."""
    while True:
        await run.ended.until(len(run.ended.ended) + run.choices.randint(1, KILL_EVERY))
        if workers := worker_pids(server.process.pid):
            os.kill(run.choices.choice(workers), signal.SIGKILL)
            run.kills += 1


@asynccontextmanager
async def attacked_server(
    functions: Path, sidecar: Daprd, run: Run, env: Mapping[str, str]
) -> AsyncIterator[Server]:
    """Run a server, on its sidecar's app port, whose workers are killed; keep its log."""
    environment = {**sidecar.app_environment, **env}
    flags = "--workers", str(WORKERS)
    async with serve(functions, *flags, port=sidecar.app_port or 0, env=environment) as server:
        killing = asyncio.ensure_future(kill_workers(server, run))
        try:
            yield server
        finally:
            killing.cancel()
            await asyncio.wait([killing])
            run.log += server.process.stderr.lines


async def attack(functions: Path, sidecar: Daprd, run: Run, env: Mapping[str, str]) -> None:
    """Have servers process every message; the first is killed and the second drains, or the other way round."""
    ends = [signal.SIGKILL, signal.SIGTERM]
    run.choices.shuffle(ends)
    for number, end in enumerate(ends):
        async with attacked_server(functions, sidecar, run, env) as server:
            ended = MESSAGES // 3 * number + run.choices.randrange(MESSAGES // 6, MESSAGES // 3)
            await run.ended.until(ended)
            server.process.signal(end)
            await server.process.wait(timeout_s=END_TIMEOUT_S)
    async with attacked_server(functions, sidecar, run, env):
        await run.ended.until(MESSAGES)


@pytest.mark.parametrize(
    ("bulk", "has_health_check"),
    [("", True), ("bulk = { max_messages = 100, max_await = '50ms' }", False)],
    ids=["single", "bulk"],
)
async def test_no_message_is_lost(
    *,
    bulk: str,
    has_health_check: bool,
    cache_environment: dict[str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """
    Each message is processed at least once, or is a dead letter, of which two workers died.

    Batches get no health checks: daprd 1.18 takes no more of them once an app was unhealthy.
    """
    functions = tmp_path / "functions"
    content_type = 'content_type = "text/plain"'
    write_topic_function(
        functions, "rest", topic_trigger(TOPIC, *MANIFEST, bulk), guest="rest", sections=content_type
    )

    async with (
        broker(tmp_path) as running,
        follow(running, results=RESULTS, dead_letters=DEAD_LETTERS) as ended,
        topic_sidecar(tmp_path, running, app_health_check=has_health_check) as sidecar,
    ):
        run = Run(random.Random(SEED), ended)
        attacked = attack(functions, sidecar, run, cache_environment)
        with suppress(asyncio.TimeoutError):  # a lost message is best told below
            await asyncio.wait_for(asyncio.gather(publish_all(sidecar, ended), attacked), TIMEOUT_S)

    crashes = run.said("CRASHED")
    with capsys.disabled():
        sys.stdout.write(
            f"\nseed {SEED}: {MESSAGES} messages, {len(ended.processed)} processed, "
            f"{ended.duplicates} duplicates, {len(ended.dropped)} dropped; "
            f"{run.kills} workers killed, {crashes} of them busy\n"
        )
    assert {f"m{number}" for number in range(MESSAGES)} - ended.ended == set()
    assert ended.dropped.total() <= run.said("is dropped: CRASHED")
    assert crashes > 0
