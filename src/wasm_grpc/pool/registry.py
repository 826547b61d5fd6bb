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

__all__ = ["FAILED_START_PAUSE_S", "State", "WorkerKind", "WorkerRegistry"]

FAILED_START_PAUSE_S = 1.0
"""Wait after a worker that did not come up, so that a broken interpreter is no busy loop."""


@dataclass(frozen=True, slots=True)
class WorkerKind:
    """
    What makes workers interchangeable: an invocation may go to any of its function's kind.

    Attributes:
        runtime: Engine and interpreter.
        function: The only function whose invocations they run, each worker one of them; "" where they
            run those of all functions of this runtime, one after another.
    """

    runtime: Runtime
    function: str = ""

    @property
    def is_exclusive(self) -> bool:
        """
        Whether a worker serves one invocation and ends, because a guest could leave something behind.
        """
        return bool(self.function)


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
    kind: WorkerKind
    state: State
    idle_since_s: float = 0.0


class WorkerRegistry:
    """
    The workers of one server.
    """

    def __init__(self, kinds: Iterable[WorkerKind], *, slots: int, max_workers: int, idle_s: float) -> None:
        """
        Know no worker yet.

        Args:
            kinds: Of each function.
            slots: Guests that compute at once.
            max_workers: Processes, at the most.
            idle_s: A worker that is idle so long beyond the floor is let go.
        """
        self._max_workers = max_workers
        self._idle_s = idle_s
        self._floors = _floors(kinds, slots=slots, max_workers=max_workers)
        self._workers: dict[int, _Worker] = {}
        self._last = 0
        self._idle: dict[WorkerKind, list[int]] = {kind: [] for kind in self._floors}
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
        Return what a worker is at; ``None`` where it is gone.
        """
        found = self._workers.get(worker)
        return None if found is None else found.state

    def has_idle(self, kind: WorkerKind) -> bool:
        """
        Whether `take` gives one.
        """
        return bool(self._idle[kind])

    def starting(self, kind: WorkerKind) -> int:
        """
        Return how many are on their way.
        """
        return self._starting[kind]

    def is_paused(self, kind: WorkerKind, now_s: float) -> bool:
        """
        Whether its last worker did not come up, just now.
        """
        return now_s < self._pause_until_s[kind]

    def start(self, kind: WorkerKind) -> int | None:
        """
        Add one that is to be started; ``None`` where there are as many as there may be.
        """
        if len(self._workers) >= self._max_workers:
            return None
        self._last += 1
        self._workers[self._last] = _Worker(kind, State.STARTING)
        self._at_hand[kind] += 1
        self._starting[kind] += 1
        return self._last

    def ready(self, worker: int, now_s: float) -> None:
        """
        It came up.
        """
        kind = self._workers[worker].kind
        self._starting[kind] -= 1
        self._pause_until_s[kind] = 0.0
        self._make_idle(worker, now_s)

    def take(self, kind: WorkerKind) -> int:
        """
        Return an idle one, the one that rested shortest: the others may retire.
        """
        worker = self._idle[kind].pop()
        self._workers[worker].state = State.BUSY
        return worker

    def lend(self, worker: int) -> None:
        """
        Its guest waits for its peer.
        """
        found = self._workers[worker]
        found.state = State.LENT
        self._at_hand[found.kind] -= 1

    def reclaim(self, worker: int) -> None:
        """
        Its guest waits no more.
        """
        found = self._workers[worker]
        found.state = State.BUSY
        self._at_hand[found.kind] += 1

    def rest(self, worker: int, now_s: float) -> None:
        """
        Its guest ended.
        """
        if self._workers[worker].state is State.LENT:
            self.reclaim(worker)
        self._make_idle(worker, now_s)

    def lost(self, worker: int, now_s: float, *, pauses: bool = True) -> None:
        """
        Its process ended by itself, or was killed; with `pauses` one that did not come up delays the next.
        """
        found = self._workers[worker]
        if found.state is State.IDLE:
            self._idle[found.kind].remove(worker)
        elif found.state is State.STARTING:
            self._starting[found.kind] -= 1
            if pauses:
                self._pause_until_s[found.kind] = now_s + FAILED_START_PAUSE_S
        self.forget(worker)

    def forget(self, worker: int) -> None:
        """
        Its process ends after its guest.
        """
        found = self._workers.pop(worker)
        if found.state is not State.LENT:
            self._at_hand[found.kind] -= 1

    def stop(self, worker: int) -> None:
        """
        An idle one is let go.
        """
        self._idle[self._workers[worker].kind].remove(worker)
        self.forget(worker)

    def idle_of_another(self, kind: WorkerKind) -> int | None:
        """
        Return an idle one of any other kind.
        """
        for other, idle in self._idle.items():
            if other != kind and idle:
                return idle[0]
        return None

    def missing(self, now_s: float) -> list[WorkerKind]:
        """
        Return the kind of each worker that is missing to what is always kept.
        """
        return [
            kind
            for kind, floor in self._floors.items()
            if not self.is_paused(kind, now_s)
            for _ in range(floor - self._at_hand[kind])
        ]

    def stale(self, now_s: float) -> list[int]:
        """
        Return those that have been idle too long beyond what is always kept.
        """
        found: list[int] = []
        for kind, idle in self._idle.items():
            surplus = self._at_hand[kind] - self._floors[kind]
            # The longest idle stand first: `_make_idle` appends, `take` takes the last.
            found += [worker for worker in idle[: max(surplus, 0)] if self._is_stale(worker, now_s)]
        return found

    def _is_stale(self, worker: int, now_s: float) -> bool:
        return now_s - self._workers[worker].idle_since_s >= self._idle_s

    def _make_idle(self, worker: int, now_s: float) -> None:
        found = self._workers[worker]
        found.state = State.IDLE
        found.idle_since_s = now_s
        self._idle[found.kind].append(worker)


def _floors(kinds: Iterable[WorkerKind], *, slots: int, max_workers: int) -> dict[WorkerKind, int]:
    """
    Return how many workers are always kept of each kind.

    One a slot and a spare where most functions run, one of each other kind. Exclusive kinds come last: as
    many have one as the other processes leave room for.
    """
    counts: dict[WorkerKind, int] = {}
    for kind in kinds:
        counts[kind] = counts.get(kind, 0) + 1
    by_need = sorted(counts, key=lambda kind: (kind.is_exclusive, -counts[kind]))
    floors: dict[WorkerKind, int] = {}
    for kind in by_need:
        left = max_workers - sum(floors.values())
        wanted = 1 if floors else slots + 1
        floors[kind] = min(wanted, max(left, 0)) if kind.is_exclusive or not floors else 1
    return floors
