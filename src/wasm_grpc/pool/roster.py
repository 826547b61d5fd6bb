"""
Which worker processes there are, and what each is at: the schedule's record, as pure as it.

============  ======================================  =================================
state         event                                   next
============  ======================================  =================================
(new)         `start`                                 STARTING
STARTING      `ready`                                 IDLE
IDLE          `take`                                  BUSY
BUSY          `lend`                                  LENT
LENT          `reclaim`                               BUSY
BUSY, LENT    `rest`                                  IDLE
IDLE          `stop`                                  gone
any           `lost`, `forget`                        gone
============  ======================================  =================================
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass

from wasm_grpc.core.model import Runtime

__all__ = ["FAILED_START_PAUSE_S", "Roster", "State"]

FAILED_START_PAUSE_S = 1.0
"""Wait after a worker that did not come up, so that a broken interpreter is no busy loop."""


class State(enum.Enum):
    """
    What a worker is at.
    """

    STARTING = enum.auto()
    IDLE = enum.auto()
    BUSY = enum.auto()
    # It runs a guest that waits for its peer.
    LENT = enum.auto()


@dataclass(slots=True)
class _Worker:
    runtime: Runtime
    state: State
    idle_since_s: float = 0.0


class Roster:
    """
    The workers of one server.
    """

    def __init__(self, runtimes: Iterable[Runtime], *, slots: int, max_workers: int, idle_s: float) -> None:
        """
        Know no worker yet.

        Args:
            runtimes: Of each function.
            slots: Guests that compute at once.
            max_workers: Processes, at the most.
            idle_s: A worker that is idle so long beyond the floor is let go.
        """
        self._max_workers = max_workers
        self._idle_s = idle_s
        self._floors = _floors(runtimes, slots=slots, max_workers=max_workers)
        self._workers: dict[int, _Worker] = {}
        self._last = 0
        self._idle: dict[Runtime, list[int]] = {runtime: [] for runtime in self._floors}
        self._starting = dict.fromkeys(self._floors, 0)
        # Those whose guests wait for their peers aside: a spare is kept beside them.
        self._at_hand = dict.fromkeys(self._floors, 0)
        self._pause_until_s = dict.fromkeys(self._floors, 0.0)

    def __repr__(self) -> str:
        return f"{sum(map(len, self._idle.values()))} idle, {sum(self._starting.values())} starting"

    @property
    def is_starting(self) -> bool:
        """
        Whether a worker is on its way that has not come up yet.
        """
        return any(self._starting.values())

    def state(self, worker: int) -> State | None:
        """
        Give what a worker is at; ``None`` where it is gone.
        """
        found = self._workers.get(worker)
        return None if found is None else found.state

    def has_idle(self, runtime: Runtime) -> bool:
        """
        Whether `take` gives one.
        """
        return bool(self._idle[runtime])

    def starting(self, runtime: Runtime) -> int:
        """
        Give how many are on their way.
        """
        return self._starting[runtime]

    def is_paused(self, runtime: Runtime, now_s: float) -> bool:
        """
        Whether its last worker did not come up, just now.
        """
        return now_s < self._pause_until_s[runtime]

    def start(self, runtime: Runtime) -> int | None:
        """
        Add one that is to be started; ``None`` where there are as many as there may be.
        """
        if len(self._workers) >= self._max_workers:
            return None
        self._last += 1
        self._workers[self._last] = _Worker(runtime, State.STARTING)
        self._at_hand[runtime] += 1
        self._starting[runtime] += 1
        return self._last

    def ready(self, worker: int, now_s: float) -> None:
        """
        It came up.
        """
        runtime = self._workers[worker].runtime
        self._starting[runtime] -= 1
        self._pause_until_s[runtime] = 0.0
        self._make_idle(worker, now_s)

    def take(self, runtime: Runtime) -> int:
        """
        Give an idle one, the one that rested shortest: the others may retire.
        """
        worker = self._idle[runtime].pop()
        self._workers[worker].state = State.BUSY
        return worker

    def lend(self, worker: int) -> None:
        """
        Its guest waits for its peer.
        """
        found = self._workers[worker]
        found.state = State.LENT
        self._at_hand[found.runtime] -= 1

    def reclaim(self, worker: int) -> None:
        """
        Its guest waits no more.
        """
        found = self._workers[worker]
        found.state = State.BUSY
        self._at_hand[found.runtime] += 1

    def rest(self, worker: int, now_s: float) -> None:
        """
        Its guest ended.
        """
        if self._workers[worker].state is State.LENT:
            self.reclaim(worker)
        self._make_idle(worker, now_s)

    def lost(self, worker: int, now_s: float) -> None:
        """
        Its process ended by itself, or was killed.
        """
        found = self._workers[worker]
        if found.state is State.IDLE:
            self._idle[found.runtime].remove(worker)
        elif found.state is State.STARTING:
            self._starting[found.runtime] -= 1
            self._pause_until_s[found.runtime] = now_s + FAILED_START_PAUSE_S
        self.forget(worker)

    def forget(self, worker: int) -> None:
        """
        Its process ends after its guest.
        """
        found = self._workers.pop(worker)
        if found.state is not State.LENT:
            self._at_hand[found.runtime] -= 1

    def stop(self, worker: int) -> None:
        """
        An idle one is let go.
        """
        self._idle[self._workers[worker].runtime].remove(worker)
        self.forget(worker)

    def idle_of_another(self, runtime: Runtime) -> int | None:
        """
        Give an idle one of any other runtime.
        """
        for other, idle in self._idle.items():
            if other != runtime and idle:
                return idle[0]
        return None

    def missing(self, now_s: float) -> list[Runtime]:
        """
        Give the runtime of each worker that is missing to what is always kept.
        """
        return [
            runtime
            for runtime, floor in self._floors.items()
            if not self.is_paused(runtime, now_s)
            for _ in range(floor - self._at_hand[runtime])
        ]

    def stale(self, now_s: float) -> list[int]:
        """
        Give those that have been idle too long beyond what is always kept.
        """
        found: list[int] = []
        for runtime, idle in self._idle.items():
            surplus = self._at_hand[runtime] - self._floors[runtime]
            # The longest idle stand first: `_make_idle` appends, `take` takes the last.
            found += [worker for worker in idle[: max(surplus, 0)] if self._is_stale(worker, now_s)]
        return found

    def _is_stale(self, worker: int, now_s: float) -> bool:
        return now_s - self._workers[worker].idle_since_s >= self._idle_s

    def _make_idle(self, worker: int, now_s: float) -> None:
        found = self._workers[worker]
        found.state = State.IDLE
        found.idle_since_s = now_s
        self._idle[found.runtime].append(worker)


def _floors(runtimes: Iterable[Runtime], *, slots: int, max_workers: int) -> dict[Runtime, int]:
    """
    Workers always kept of each runtime: one a slot and a spare where most functions run, one elsewhere.
    """
    counts: dict[Runtime, int] = {}
    for runtime in runtimes:
        counts[runtime] = counts.get(runtime, 0) + 1
    main = max(counts, key=lambda runtime: counts[runtime], default=None)
    return {runtime: min(slots + 1, max_workers) if runtime == main else 1 for runtime in counts}
