"""
The workers that there are, each with its state: the schedule's record, as pure as the schedule itself.

============  ======================================  =================================
state         event                                   next
============  ======================================  =================================
(new)         `start`                                 STARTING
STARTING      `ready`                                 IDLE
IDLE          `take`                                  BUSY
BUSY          `lend`                                  LENT
LENT          `reclaim`                               BUSY
BUSY, LENT    `rest`                                  IDLE
IDLE          `retire`                                gone
any           `lost`, `forget`                        gone
============  ======================================  =================================
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass

from wasm_grpc.core.model import Runtime

__all__ = ["State", "WorkerKind", "WorkerRegistry"]

_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 30.0
"""The pause after the second failure in a row, which doubles with each further one; and its limit."""


@dataclass(frozen=True, slots=True)
class WorkerKind:
    """
    What makes workers interchangeable: an invocation may go to any worker of its function's kind.

    Attributes:
        runtime: Engine and interpreter.
        function: The only function that such workers run; "" where they run all functions of this runtime
            that have no kind of their own.
        is_exclusive: Whether a worker runs one invocation and ends, because its guest could leave something
            behind.
    """

    runtime: Runtime
    function: str = ""
    is_exclusive: bool = False


class State(enum.Enum):
    """
    What a worker does; see the table above.
    """

    STARTING = enum.auto()
    IDLE = enum.auto()
    BUSY = enum.auto()
    # Its guest waits, and has lent its run slot.
    LENT = enum.auto()


@dataclass(slots=True)
class _Worker:
    kind: WorkerKind
    state: State
    idle_since_s: float = 0.0


@dataclass(slots=True)
class _Failures:
    """
    Those in a row of one kind's workers, which ended before they had been of use.

    Workers that were started together end together where the cause is outside of them. So of all that were
    started before the last failure was noted, none is another failure, and none shows that it is over.
    """

    count: int = 0
    newest: int = 0
    until_s: float = 0.0


class WorkerRegistry:
    """
    The workers of one server.
    """

    def __init__(self, kinds: Iterable[WorkerKind], *, slots: int, max_workers: int, idle_s: float) -> None:
        """
        Begin without a worker.

        Args:
            kinds: The kind of each function.
            slots: How many guests compute at once.
            max_workers: How many processes there are at most.
            idle_s: A worker beyond the floor is stale once it has been idle for so many seconds.
        """
        self._idle_s = idle_s
        self._floors = _floors(kinds, slots=slots, max_workers=max_workers)
        self._workers: dict[int, _Worker] = {}
        self._last = 0
        self._idle: dict[WorkerKind, list[int]] = {kind: [] for kind in self._floors}
        self._starting = dict.fromkeys(self._floors, 0)
        # Without those that lent their slot: a guest may wait for hours, and the floor is kept beside it.
        self._at_hand = dict.fromkeys(self._floors, 0)
        self._failures = {kind: _Failures() for kind in self._floors}

    def __repr__(self) -> str:
        return f"{sum(map(len, self._idle.values()))} idle, {sum(self._starting.values())} starting"

    @property
    def is_starting(self) -> bool:
        """
        Whether a worker has been started that is not ready yet.
        """
        return any(self._starting.values())

    def state(self, worker: int) -> State | None:
        """
        Return what a worker does; ``None`` where it is gone.
        """
        found = self._workers.get(worker)
        return None if found is None else found.state

    def kind(self, worker: int) -> WorkerKind | None:
        """
        Return a worker's kind; ``None`` where it is gone.
        """
        found = self._workers.get(worker)
        return None if found is None else found.kind

    def has_idle(self, kind: WorkerKind) -> bool:
        """
        Whether `take` would find one.
        """
        return bool(self._idle[kind])

    def starting(self, kind: WorkerKind) -> int:
        """
        Return how many have been started and are not ready yet.
        """
        return self._starting[kind]

    def is_paused(self, kind: WorkerKind, now_s: float) -> bool:
        """
        Whether no worker of this kind should be started now, since several in a row were of no use.
        """
        return now_s < self._failures[kind].until_s

    def start(self, kind: WorkerKind, limit: int) -> int | None:
        """
        Add a worker that the caller will start, and return its number; ``None`` where there are `limit`.
        """
        if len(self._workers) >= limit:
            return None
        self._last += 1
        self._workers[self._last] = _Worker(kind, State.STARTING)
        self._at_hand[kind] += 1
        self._starting[kind] += 1
        return self._last

    def ready(self, worker: int, now_s: float) -> None:
        """
        Note that it takes tickets from now on.
        """
        kind = self._workers[worker].kind
        self._starting[kind] -= 1
        self._make_idle(worker, now_s)

    def take(self, kind: WorkerKind) -> int:
        """
        Return the idle worker that was used last, so that the others can become stale.
        """
        worker = self._idle[kind].pop()
        self._workers[worker].state = State.BUSY
        return worker

    def lend(self, worker: int) -> None:
        """
        Note that its guest waits.
        """
        found = self._workers[worker]
        found.state = State.LENT
        self._at_hand[found.kind] -= 1

    def reclaim(self, worker: int) -> None:
        """
        Note that its guest goes on.
        """
        found = self._workers[worker]
        found.state = State.BUSY
        self._at_hand[found.kind] += 1

    def rest(self, worker: int, now_s: float) -> None:
        """
        Note that its guest has ended.
        """
        self._was_of_use(worker)
        if self._workers[worker].state is State.LENT:
            self.reclaim(worker)
        self._make_idle(worker, now_s)

    def lost(self, worker: int, now_s: float, *, is_failure: bool = False) -> tuple[int, float]:
        """
        Forget one whose process has ended.

        Returns:
            How many of its kind have failed in a row, and the pause before the next is started, in seconds; 0
            and 0 if this one was no failure, or none of its own.
        """
        found = self._workers[worker]
        if found.state is State.IDLE:
            self._idle[found.kind].remove(worker)
        elif found.state is State.STARTING:
            self._starting[found.kind] -= 1
        self.forget(worker)
        failures = self._failures[found.kind]
        if not is_failure or worker <= failures.newest:
            return 0, 0.0
        failures.count += 1
        failures.newest = self._last
        pause_s = 0.0
        if failures.count > 1:
            # No power of a count that grows for days.
            doublings = min(failures.count - 2, 16)
            pause_s = min(_FIRST_PAUSE_S * 2**doublings, _LONGEST_PAUSE_S)
        failures.until_s = now_s + pause_s
        return failures.count, pause_s

    def forget(self, worker: int) -> None:
        """
        Forget one whose process ends by itself, because its guest has ended.
        """
        found = self._workers.pop(worker)
        if found.state is not State.LENT:
            self._at_hand[found.kind] -= 1

    def _was_of_use(self, worker: int) -> None:
        failures = self._failures[self._workers[worker].kind]
        if failures.count and worker > failures.newest:
            failures.count = 0

    def retire(self, worker: int) -> None:
        """
        Forget an idle one, whose process the caller ends.
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
        Return the kind of each worker that is missing to the floors.
        """
        return [
            kind
            for kind, floor in self._floors.items()
            if not self.is_paused(kind, now_s)
            for _ in range(floor - self._at_hand[kind])
        ]

    def stale(self, now_s: float) -> list[int]:
        """
        Return the workers beyond the floors that have been idle too long.
        """
        found: list[int] = []
        for kind, idle in self._idle.items():
            surplus = self._at_hand[kind] - self._floors[kind]
            # The one that has been idle longest is first: `_make_idle` appends and `take` takes the last.
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
    Return how many workers of each kind are always kept: its *floor*.

    That is one for each slot and a spare for the kind that most functions have, and one for each other kind.
    The kinds of single functions come last, and get one only while `max_workers` allows it.
    """
    counts: dict[WorkerKind, int] = {}
    for kind in kinds:
        counts[kind] = counts.get(kind, 0) + 1
    by_need = sorted(counts, key=lambda kind: (kind.is_exclusive, bool(kind.function), -counts[kind]))
    floors: dict[WorkerKind, int] = {}
    for kind in by_need:
        left = max_workers - sum(floors.values())
        wanted = 1 if floors else slots + 1
        floors[kind] = min(wanted, max(left, 0)) if kind.function or not floors else 1
    return floors
