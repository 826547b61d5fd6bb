"""
No event of a binding is lost between daprd and a function, while workers are killed at random.

`LOSS_SEED` is what the random choices begin with.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import signal
import sys
from collections import Counter
from pathlib import Path

import pytest

from end_to_end.dapr_app import PUBSUB, DaprApp, run_dapr_app
from integration.guests import write_function
from integration.processes import worker_pids

__all__ = []

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(90)]

SEED = os.environ.get("LOSS_SEED", "") or str(random.randrange(2**32))
BINDINGS = 100
"""Each fires every second, all at the same time."""
EVENTS = 1000
KILL_EVERY = 40
"""The most events that end between two kills."""
OUT = f'then = {{ publish = {{ pubsub = "{PUBSUB}", topic = "out" }} }}'
LOOK_AGAIN_S = 0.02
TIMEOUT_S = 60
SETTLE_TIMEOUT_S = 20

FIRED = re.compile(r"name: b\d+, schedule fired: ")
RETURNED = re.compile(
    r"error from app consumer for binding \[b\d+\]: .*desc = function 'rest': its worker died"
)
DROPPED = re.compile(r"event of binding 'b\d+' .* is dropped: CRASHED: ")


class Account:
    """What became of the events so far: read on from where the last look ended."""

    def __init__(self, app: DaprApp) -> None:
        self._app = app
        self._read = 0
        self._rest = ""
        self._seen: Counter[str] = Counter()

    @property
    def fired(self) -> int:
        """How many events the component has had."""
        return self._seen["fired"]

    @property
    def returned(self) -> int:
        """How many of them were returned to it as errors."""
        return self._seen["returned"]

    async def look(self) -> int:
        """Return how many events have ended: with a result, returned, or dropped as the second crash in a row."""
        with self._app.sidecar.log_file.open() as log:
            log.seek(self._read)
            *lines, self._rest = (self._rest + log.read()).split("\n")
            self._read = log.tell()
        for line in lines:
            self._seen["fired"] += bool(FIRED.search(line))
            self._seen["returned"] += bool(RETURNED.search(line))
        return self.returned + self.dropped + await self._app.broker.length("out")

    @property
    def dropped(self) -> int:
        """How many of them were dropped."""
        return sum(bool(DROPPED.search(line)) for line in self._app.server.process.stderr.lines)


async def kill_workers(app: DaprApp, account: Account, choices: random.Random) -> int:
    """Kill a worker after every few events, until there were enough events; return how many."""
    kills, last = 0, 0
    while account.fired < EVENTS:
        ended = await account.look()
        workers = worker_pids(app.server.process.pid)
        if workers and ended >= last:
            os.kill(choices.choice(workers), signal.SIGKILL)
            kills += 1
            last = ended + choices.randint(1, KILL_EVERY)
        await asyncio.sleep(LOOK_AGAIN_S)
    return kills


async def test_no_event_is_lost(
    cache_environment: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each of 1,000 events has one result, or is returned to its component, or is the second crash of its binding."""
    functions = tmp_path / "functions"
    names = [f"b{number}" for number in range(BINDINGS)]
    trigger = "\n".join(f'[[trigger.binding]]\nname = "{name}"\n{OUT}\n' for name in names)
    write_function(functions, "rest", sections="[pool]\nqueue = 1000\n", trigger=trigger)
    cron = ("bindings.cron", {"schedule": "@every 1s", "direction": "input"})

    async with run_dapr_app(
        functions,
        tmp_path,
        "--workers",
        "4",
        env=cache_environment,
        components=dict.fromkeys(names, cron),
        log_level="debug",
    ) as app:
        account = Account(app)
        kills = await asyncio.wait_for(kill_workers(app, account, random.Random(SEED)), TIMEOUT_S)
        loop = asyncio.get_running_loop()
        end_s = loop.time() + SETTLE_TIMEOUT_S
        # Between two firings all have ended. A lost event, or one that ended twice, never lets that be.
        while (ended := await account.look()) != account.fired and loop.time() < end_s:
            await asyncio.sleep(LOOK_AGAIN_S)

    with capsys.disabled():
        sys.stdout.write(
            f"\nseed {SEED}: {account.fired} events, {account.returned} returned, {account.dropped} dropped; "
            f"{kills} workers killed\n"
        )
    assert ended == account.fired
    assert account.returned > 0
