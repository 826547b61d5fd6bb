"""
Who runs where, decided purely: events go in, actions come out, nothing here waits or does I/O.

Theory of operation. A *ticket* is an invocation that was handed in. A *worker* is a process; its
states are the table below. After every event `_dispatch` gives waiting tickets to workers:

* A function may run one more while it runs fewer than its own ``max`` and the server has a run
  slot left. A function with nothing running may always start one, beyond the slots, so that a
  flooded neighbour costs it a share of a core and not a place in a queue.
* Among those that may, the function with the fewest running goes first, then the ticket that
  has waited longest.
* A ticket is never reserved for a worker that is still starting: whoever comes first takes the
  next idle worker. But no more workers are started than tickets wait for.

============  ======================================  =================================
state         event                                   next
============  ======================================  =================================
(new)         Start action                            STARTING
STARTING      `worker_ready`                          IDLE
IDLE          Run action                              BUSY
BUSY          `finished`                              IDLE, or gone if it retires
IDLE          Stop action (surplus, other runtime)    gone
any           `worker_lost`                           gone
============  ======================================  =================================
"""

from __future__ import annotations

import enum
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from wasm_grpc.core.model import Runtime

__all__ = ["Action", "FunctionPolicy", "Run", "Schedule", "Start", "Stop"]

FAILED_START_PAUSE_S = 1.0
"""Wait after a worker that did not come up, so that a broken interpreter is no busy loop."""


@dataclass(frozen=True, slots=True)
class Start:
    """
    Start a worker process under this id.
    """

    worker: int
    runtime: Runtime


@dataclass(frozen=True, slots=True)
class Run:
    """
    Send this ticket's invocation to this worker.
    """

    ticket: int
    worker: int


@dataclass(frozen=True, slots=True)
class Stop:
    """
    Let this idle worker go; it is forgotten here already.
    """

    worker: int


Action = Start | Run | Stop


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionPolicy:
    """
    What the schedule knows of a function.

    Attributes:
        runtime: Where it runs.
        max: Concurrent invocations.
        queue: Tickets that may wait.
    """

    runtime: Runtime
    max: int
    queue: int


class _State(enum.Enum):
    STARTING = enum.auto()
    IDLE = enum.auto()
    BUSY = enum.auto()


@dataclass(slots=True)
class _Function:
    policy: FunctionPolicy
    running: int = 0
    waiting: OrderedDict[int, None] = field(default_factory=OrderedDict)


@dataclass(slots=True)
class _Worker:
    runtime: Runtime
    state: _State
    idle_since_s: float = 0.0
    function: str = ""


class Schedule:
    """
    The schedule of one server. Every method returns the actions that its event leads to.
    """

    def __init__(
        self,
        functions: Mapping[str, FunctionPolicy],
        *,
        slots: int,
        max_workers: int,
        idle_s: float = 5.0,
    ) -> None:
        """
        Know the functions, and no worker yet.

        Args:
            functions: By name.
            slots: Guests that compute at once.
            max_workers: Processes, at the most.
            idle_s: A worker that is idle so long beyond the floor is let go.
        """
        self._functions = {name: _Function(policy) for name, policy in functions.items()}
        self._slots = slots
        self._max_workers = max_workers
        self._idle_s = idle_s
        self._floors = _floors(functions.values(), slots=slots, max_workers=max_workers)
        self._workers: dict[int, _Worker] = {}
        self._idle: dict[Runtime, list[int]] = {runtime: [] for runtime in self._floors}
        self._starting: dict[Runtime, int] = dict.fromkeys(self._floors, 0)
        self._pause_until_s: dict[Runtime, float] = dict.fromkeys(self._floors, 0.0)
        self._alive: dict[Runtime, int] = dict.fromkeys(self._floors, 0)
        self._tickets: dict[int, str] = {}
        self._pending: dict[str, _Function] = {}
        self._busy = 0
        self._last_worker = 0

    def __repr__(self) -> str:
        waiting = sum(len(function.waiting) for function in self._functions.values())
        idle = sum(map(len, self._idle.values()))
        starting = sum(self._starting.values())
        return f"<Schedule {self._busy} busy, {idle} idle, {starting} starting, {waiting} waiting>"

    @property
    def is_starting(self) -> bool:
        """
        Whether a worker is on its way that has not come up yet.
        """
        return any(self._starting.values())

    def start(self) -> list[Action]:
        """
        Start the workers that are always kept.
        """
        return self._fill(0.0)

    def has_room(self, function: str) -> bool:
        """
        Whether `submit` may take one more ticket for this function.
        """
        state = self._functions[function]
        free = state.policy.max - state.running
        return len(state.waiting) < state.policy.queue + max(free, 0)

    def submit(self, ticket: int, function: str, now_s: float) -> list[Action]:
        """
        Take a ticket; ask `has_room` first.
        """
        self._wait(ticket, function)
        return self._dispatch(now_s)

    def withdraw(self, ticket: int) -> bool:
        """
        Forget a ticket that still waits; false if it waits no more.
        """
        function = self._tickets.pop(ticket, None)
        if function is None:
            return False
        self._unwait(ticket, function)
        return True

    def worker_ready(self, worker: int, now_s: float) -> list[Action]:
        """
        A started worker takes work from now on.
        """
        state = self._workers[worker]
        self._starting[state.runtime] -= 1
        self._pause_until_s[state.runtime] = 0.0
        self._rest(worker, now_s)
        return self._dispatch(now_s)

    def finished(self, worker: int, now_s: float, *, retires: bool = False) -> list[Action]:
        """
        A worker's invocation ended; with `retires` the process ends too.
        """
        self._leave_function(worker)
        if not retires:
            self._rest(worker, now_s)
            return self._dispatch(now_s)
        self._forget(worker)
        return self._dispatch(now_s) + self._fill(now_s)

    def worker_lost(self, worker: int, now_s: float) -> list[Action]:
        """
        A worker's process ended by itself or was killed; an id that is gone already is no error.
        """
        state = self._workers.get(worker)
        if state is None:
            return []
        if state.state is _State.BUSY:
            self._leave_function(worker)
        elif state.state is _State.IDLE:
            self._idle[state.runtime].remove(worker)
        else:
            self._starting[state.runtime] -= 1
            self._pause_until_s[state.runtime] = now_s + FAILED_START_PAUSE_S
        self._forget(worker)
        return self._dispatch(now_s) + self._fill(now_s)

    def run_again(self, ticket: int, function: str, now_s: float) -> list[Action]:
        """
        Put a ticket whose worker was found dead before it began back to the front.
        """
        self._wait(ticket, function)
        self._functions[function].waiting.move_to_end(ticket, last=False)
        return self._dispatch(now_s)

    def tick(self, now_s: float) -> list[Action]:
        """
        Let surplus idle workers go and make up for missing ones; call it every second or so.
        """
        actions: list[Action] = []
        for runtime, idle in self._idle.items():
            surplus = self._alive[runtime] - self._floors[runtime]
            # The longest idle stand first: `_rest` appends, `_take` takes the last.
            longest_idle = idle[: max(surplus, 0)]
            actions += [self._stop(worker) for worker in longest_idle if self._is_stale(worker, now_s)]
        return actions + self._dispatch(now_s) + self._fill(now_s)

    def _dispatch(self, now_s: float) -> list[Action]:
        actions: list[Action] = []
        unserved: set[Runtime] = set()
        while True:
            function = self._next_function(unserved)
            if function is None:
                return actions
            runtime = function.policy.runtime
            if self._idle[runtime]:
                actions.append(self._take(function))
            else:
                actions += self._call_for_worker(runtime, now_s)
                unserved.add(runtime)

    def _next_function(self, unserved: set[Runtime]) -> _Function | None:
        best: _Function | None = None
        for function in self._pending.values():
            if function.policy.runtime in unserved or not self._may_run(function):
                continue
            if best is None or _precedence(function) < _precedence(best):
                best = function
        return best

    def _may_run(self, function: _Function) -> bool:
        if not function.running:
            return True
        return function.running < function.policy.max and self._busy < self._slots

    def _take(self, function: _Function) -> Run:
        ticket = next(iter(function.waiting))
        name = self._tickets.pop(ticket)
        self._unwait(ticket, name)
        worker = self._idle[function.policy.runtime].pop()
        state = self._workers[worker]
        state.state = _State.BUSY
        state.function = name
        function.running += 1
        self._busy += 1
        return Run(ticket, worker)

    def _call_for_worker(self, runtime: Runtime, now_s: float) -> list[Action]:
        """
        Start workers for the tickets that could run now but find none idle.
        """
        if now_s < self._pause_until_s[runtime]:
            # Nor may another runtime's worker go for one that isn't started.
            return []
        wanted = self._runnable(runtime) - self._starting[runtime]
        actions: list[Action] = []
        for _ in range(wanted):
            if len(self._workers) >= self._max_workers:
                other = self._idle_of_another(runtime)
                if other is None:
                    break
                actions.append(self._stop(other))
            actions += self._start(runtime, now_s)
        return actions

    def _runnable(self, runtime: Runtime) -> int:
        """
        Tickets of this runtime that the slots and their functions' ``max`` let run now.
        """
        slots_left = max(self._slots - self._busy, 0)
        beyond = 0
        within = 0
        for function in self._pending.values():
            if function.policy.runtime != runtime:
                continue
            may = min(len(function.waiting), function.policy.max - function.running)
            if not function.running and may > 0:
                beyond += 1
                may -= 1
            within += max(may, 0)
        return beyond + min(within, max(slots_left - beyond, 0))

    def _idle_of_another(self, runtime: Runtime) -> int | None:
        for other, idle in self._idle.items():
            if other != runtime and idle:
                return idle[0]
        return None

    def _fill(self, now_s: float) -> list[Action]:
        """
        Start what is missing to each runtime's floor, the spare included.
        """
        actions: list[Action] = []
        for runtime, floor in self._floors.items():
            while self._alive[runtime] < floor and len(self._workers) < self._max_workers:
                started = self._start(runtime, now_s)
                if not started:
                    break
                actions += started
        return actions

    def _start(self, runtime: Runtime, now_s: float) -> list[Action]:
        if now_s < self._pause_until_s[runtime]:
            return []
        self._last_worker += 1
        self._workers[self._last_worker] = _Worker(runtime, _State.STARTING)
        self._alive[runtime] += 1
        self._starting[runtime] += 1
        return [Start(self._last_worker, runtime)]

    def _is_stale(self, worker: int, now_s: float) -> bool:
        return now_s - self._workers[worker].idle_since_s >= self._idle_s

    def _stop(self, worker: int) -> Stop:
        self._idle[self._workers[worker].runtime].remove(worker)
        self._forget(worker)
        return Stop(worker)

    def _forget(self, worker: int) -> None:
        self._alive[self._workers.pop(worker).runtime] -= 1

    def _wait(self, ticket: int, name: str) -> None:
        function = self._functions[name]
        function.waiting[ticket] = None
        self._tickets[ticket] = name
        self._pending[name] = function

    def _unwait(self, ticket: int, name: str) -> None:
        function = self._functions[name]
        del function.waiting[ticket]
        if not function.waiting:
            del self._pending[name]

    def _rest(self, worker: int, now_s: float) -> None:
        state = self._workers[worker]
        state.state = _State.IDLE
        state.idle_since_s = now_s
        self._idle[state.runtime].append(worker)

    def _leave_function(self, worker: int) -> None:
        state = self._workers[worker]
        self._functions[state.function].running -= 1
        self._busy -= 1


def _precedence(function: _Function) -> tuple[int, int]:
    return function.running, next(iter(function.waiting))


def _floors(policies: Iterable[FunctionPolicy], *, slots: int, max_workers: int) -> dict[Runtime, int]:
    """
    Workers always kept of each runtime: one a slot and a spare where most functions run, one elsewhere.
    """
    counts: dict[Runtime, int] = {}
    for policy in policies:
        counts[policy.runtime] = counts.get(policy.runtime, 0) + 1
    main = max(counts, key=lambda runtime: counts[runtime], default=None)
    return {runtime: min(slots + 1, max_workers) if runtime == main else 1 for runtime in counts}
