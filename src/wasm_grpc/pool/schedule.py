"""
Decide who runs where: events go in, actions come out, and nothing here waits or does I/O.

Theory of operation. A *ticket* is the number of an invocation that was submitted, a *worker* that of a
process, a *run slot* the right to compute; `registry` has the states of a worker. The tickets of a function
wait in two *queues*, those of streams in one of their own, so that neither kind waits behind the other.
After every event `_dispatch` assigns waiting tickets to workers:

* A function may run one more while it runs fewer than its ``max`` and the server has a free run slot. A
  function of which nothing computes may always start one, beyond the slots: so a neighbour that floods the
  server costs it a share of a core, and not a place behind a thousand others.
* Of those that may, the function with the fewest computing goes first, then the ticket that has waited
  longest.
* No ticket is reserved for a worker that is still starting: the ticket whose turn it is takes the next idle
  worker. But no more workers are started than there are tickets for.
* A guest that waits lends its slot (`lend`) and asks for it again (`reclaim`). It keeps its process
  meanwhile, so streams may have all processes but one for each slot. A function of which other guests wait
  leaves as many to functions of which none does. Where guests that reclaim and tickets both wait for a slot,
  they get one in turn.
* A ticket has a *depth*: how many of the guests that wait here have led to it, each by a call to Dapr. Of
  one function the deepest tickets go first. Each depth has some processes of its own beyond the limit, which
  lower depths can't take, and a guest that waits doesn't count against ``max`` there. So the deepest, which
  may lead to no others, can always run, and then those above them: no chain of calls can lock up.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from wasm_grpc.pool.registry import State, WorkerKind, WorkerRegistry

__all__ = ["Action", "Assign", "FunctionPolicy", "Pause", "Resume", "RetireWorker", "Schedule", "StartWorker"]

_NESTED_WORKERS = 2
"""Processes beyond the limit for each depth."""


@dataclass(frozen=True, slots=True)
class StartWorker:
    """
    Start a process for this worker.
    """

    worker: int
    kind: WorkerKind


@dataclass(frozen=True, slots=True)
class Assign:
    """
    Send this ticket's invocation to this worker.
    """

    ticket: int
    worker: int


@dataclass(frozen=True, slots=True)
class Resume:
    """
    Let this worker's guest go on: it has its run slot again.
    """

    worker: int


@dataclass(frozen=True, slots=True)
class RetireWorker:
    """
    End the process of this idle worker; the schedule has forgotten it.
    """

    worker: int


@dataclass(frozen=True, slots=True)
class Pause:
    """
    Call `Schedule.tick` after so many seconds: until then no worker of this kind is started.

    Attributes:
        kind: Of the workers.
        seconds: The pause.
        failures: How many in a row ended before they had been of use.
    """

    kind: WorkerKind
    seconds: float
    failures: int


Action = StartWorker | Assign | Resume | RetireWorker | Pause


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionPolicy:
    """
    What the schedule knows of a function.

    Attributes:
        kind: The workers that may run it.
        max: Concurrent invocations; ``None`` allows one for each run slot, without guests that lent theirs.
        queue: Tickets that may wait; as many streams may wait beside them.
    """

    kind: WorkerKind
    max: int | None
    queue: int


@dataclass(slots=True, eq=False)
class _Function:
    policy: FunctionPolicy
    running: int = 0
    # Those of `running` that have a run slot.
    computing: int = 0
    # Those of `running` that have lent it, without streams.
    waiting: int = 0


@dataclass(slots=True, eq=False)
class _Queue:
    function: _Function
    is_stream: bool
    depth: int = 0
    waiting: OrderedDict[int, None] = field(default_factory=OrderedDict)


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
        Begin without a worker.

        Args:
            functions: By name.
            slots: How many guests compute at once.
            max_workers: How many processes there are at most.
            idle_s: A worker beyond the floor is retired once it has been idle for so many seconds.
        """
        self._slots = slots
        self._streams_limit = max(1, max_workers - slots)
        # Where processes are few, guests that wait have the first claim, as many as there are slots.
        self._reserve = max(0, min(slots, max_workers - 2 * slots))
        self._registry = WorkerRegistry(
            [policy.kind for policy in functions.values()],
            slots=slots,
            max_workers=max_workers,
            idle_s=idle_s,
        )
        self._max_workers = max_workers
        self._functions = {name: _Function(policy) for name, policy in functions.items()}
        self._queues: dict[tuple[str, bool, int], _Queue] = {}
        self._tickets: dict[int, _Queue] = {}
        self._pending: OrderedDict[_Queue, None] = OrderedDict()
        self._running: dict[int, _Queue] = {}
        self._resuming: OrderedDict[int, None] = OrderedDict()
        self._busy = 0
        self._streams = 0
        self._is_resumes_turn = True

    def __repr__(self) -> str:
        waiting = sum(len(queue.waiting) for queue in self._pending)
        lent = len(self._running) - self._busy
        return f"<Schedule {self._busy} busy, {lent} lent, {self._registry!r}, {waiting} waiting>"

    @property
    def is_starting(self) -> bool:
        """
        Whether a worker has been started that is not ready yet.
        """
        return self._registry.is_starting

    def start(self) -> list[Action]:
        """
        Start the workers that are always kept.
        """
        return self._fill(0.0)

    def has_room(self, function: str, *, is_stream: bool = False, depth: int = 0) -> bool:
        """
        Whether `submit` may take one more ticket for this function.
        """
        queue = self._queue(function, is_stream=is_stream, depth=depth)
        return len(queue.waiting) < queue.function.policy.queue + self._places(queue)

    def submit(
        self, ticket: int, function: str, now_s: float, *, is_stream: bool = False, depth: int = 0
    ) -> list[Action]:
        """
        Take a ticket; ask `has_room` first.
        """
        self._wait(ticket, self._queue(function, is_stream=is_stream, depth=depth))
        return self._dispatch(now_s)

    def withdraw(self, ticket: int) -> bool:
        """
        Forget a ticket that waits; return false if it no longer does.
        """
        queue = self._tickets.get(ticket)
        if queue is None:
            return False
        self._unwait(ticket, queue)
        return True

    def worker_ready(self, worker: int, now_s: float) -> list[Action]:
        """
        A worker that was started takes tickets from now on.
        """
        self._registry.ready(worker, now_s)
        return self._dispatch(now_s)

    def lend(self, worker: int, now_s: float) -> list[Action]:
        """
        A worker's guest waits: another may have its run slot.
        """
        self._registry.lend(worker)
        queue = self._running[worker]
        queue.function.computing -= 1
        queue.function.waiting += not queue.is_stream
        self._busy -= 1
        return self._dispatch(now_s)

    def reclaim(self, worker: int, now_s: float) -> list[Action]:
        """
        What a guest that lent its run slot waited for is here: a `Resume` will follow.
        """
        self._resuming[worker] = None
        return self._dispatch(now_s)

    def finished(self, worker: int, now_s: float, *, retires: bool = False) -> list[Action]:
        """
        A worker's invocation ended; with `retires` the process ends too.
        """
        self._leave_function(worker)
        if not retires:
            self._registry.rest(worker, now_s)
            return self._dispatch(now_s)
        self._registry.forget(worker)
        return self._dispatch(now_s) + self._fill(now_s)

    def worker_lost(self, worker: int, now_s: float, *, is_failure: bool = False) -> list[Action]:
        """
        A worker's process did not start, ended by itself or was killed; one that is forgotten is no error.

        Args:
            worker: Its number.
            now_s: The time.
            is_failure: It was of no use. If it isn't the first in a row, the next start is delayed: every
                other process may end in the same way.
        """
        kind = self._registry.kind(worker)
        if kind is None:
            return []
        if worker in self._running:
            self._leave_function(worker)
        failures, pause_s = self._registry.lost(worker, now_s, is_failure=is_failure)
        pause = [Pause(kind, pause_s, failures)] if pause_s else []
        return pause + self._dispatch(now_s) + self._fill(now_s)

    def run_again(
        self, ticket: int, function: str, now_s: float, *, is_stream: bool = False, depth: int = 0
    ) -> list[Action]:
        """
        Put a ticket back to the front of its queue: its worker died before it began the invocation.
        """
        queue = self._queue(function, is_stream=is_stream, depth=depth)
        self._wait(ticket, queue)
        queue.waiting.move_to_end(ticket, last=False)
        return self._dispatch(now_s)

    def tick(self, now_s: float) -> list[Action]:
        """
        Retire workers that have been idle too long, and start missing ones; call it every second or so.
        """
        actions: list[Action] = [self._retire(worker) for worker in self._registry.stale(now_s)]
        return actions + self._dispatch(now_s) + self._fill(now_s)

    def _queue(self, function: str, *, is_stream: bool, depth: int) -> _Queue:
        key = function, is_stream, depth
        queue = self._queues.get(key)
        if queue is None:
            queue = self._queues[key] = _Queue(self._functions[function], is_stream, depth)
        return queue

    def _dispatch(self, now_s: float) -> list[Action]:
        actions: list[Action] = []
        unserved: set[WorkerKind] = set()
        while True:
            queue = self._next_queue(unserved)
            worker = self._next_resuming()
            if worker is not None and (queue is None or self._is_resumes_turn):
                actions.append(self._resume(worker))
                self._is_resumes_turn = False
            elif queue is None:
                return actions
            elif self._registry.has_idle(queue.function.policy.kind):
                actions.append(self._assign(queue))
                self._is_resumes_turn = True
            else:
                kind = queue.function.policy.kind
                actions += self._call_for_worker(kind, now_s)
                unserved.add(kind)

    def _next_queue(self, unserved: set[WorkerKind]) -> _Queue | None:
        best: _Queue | None = None
        for queue in self._pending:
            if queue.function.policy.kind in unserved or not self._may_run(queue):
                continue
            if best is None or _precedence(queue) < _precedence(best):
                best = queue
        return best

    def _next_resuming(self) -> int | None:
        for worker in self._resuming:
            function = self._running[worker].function
            # With guests that called their own function, more than ``max`` may have begun.
            if self._may_compute(function) and self._places_of(function, is_nested=True):
                return worker
        return None

    def _may_run(self, queue: _Queue) -> bool:
        return (
            self._places(queue) > 0
            and len(self._running) < self._running_limit(queue)
            and self._may_compute(queue.function)
        )

    def _running_limit(self, queue: _Queue) -> int:
        """
        Return how many guests there may be while one of its tickets is assigned, with its own.

        Guests that wait for Dapr, which may be slow or hang, must not take the last processes from others.
        """
        is_reserved = queue.function.waiting and not queue.is_stream and not queue.depth
        return self._workers_limit(queue) - (self._reserve if is_reserved else 0)

    def _workers_limit(self, queue: _Queue) -> int:
        """
        Return how many processes may serve while one of its tickets is assigned, with its own.
        """
        return self._max_workers + _NESTED_WORKERS * queue.depth

    def _may_compute(self, function: _Function) -> bool:
        return not function.computing or self._busy < self._slots

    def _places(self, queue: _Queue) -> int:
        """
        Return how many more of its tickets could run, were the slots free.
        """
        places = self._places_of(queue.function, is_nested=queue.depth > 0)
        return min(places, self._streams_limit - self._streams) if queue.is_stream else places

    def _places_of(self, function: _Function, *, is_nested: bool) -> int:
        at_most = function.policy.max
        if at_most is None:
            return max(self._slots - function.computing, 0)
        return max(at_most - (function.computing if is_nested else function.running), 0)

    def _assign(self, queue: _Queue) -> Assign:
        ticket = next(iter(queue.waiting))
        self._unwait(ticket, queue)
        worker = self._registry.take(queue.function.policy.kind)
        self._running[worker] = queue
        queue.function.running += 1
        queue.function.computing += 1
        self._busy += 1
        self._streams += queue.is_stream
        return Assign(ticket, worker)

    def _resume(self, worker: int) -> Resume:
        del self._resuming[worker]
        self._registry.reclaim(worker)
        queue = self._running[worker]
        queue.function.computing += 1
        queue.function.waiting -= not queue.is_stream
        self._busy += 1
        return Resume(worker)

    def _call_for_worker(self, kind: WorkerKind, now_s: float) -> list[Action]:
        """
        Start workers for the tickets that could run now but find no idle worker.
        """
        if self._registry.is_paused(kind, now_s):
            # Returning here also keeps workers of other kinds from being retired for nothing.
            return []
        actions: list[Action] = []
        queues = [
            queue
            for queue in self._pending
            if queue.function.policy.kind == kind and len(self._running) < self._running_limit(queue)
        ]
        limit = max(map(self._workers_limit, queues), default=0)
        for _ in range(self._runnable(queues) - self._registry.starting(kind)):
            # After a chain of calls there may be several more than its limit.
            while (worker := self._registry.start(kind, limit)) is None:
                other = self._registry.idle_of_another(kind)
                if other is None:
                    return actions
                actions.append(self._retire(other))
            actions.append(StartWorker(worker, kind))
        return actions

    def _runnable(self, queues: Sequence[_Queue]) -> int:
        """
        Return how many tickets of these queues the slots and their functions' ``max`` let run now.
        """
        streams_left = self._streams_limit - self._streams
        places = {queue.function: self._places_of(queue.function, is_nested=True) for queue in queues}
        # Guests that wait count against ``max`` for outer tickets alone.
        withheld = {
            queue.function: places[queue.function] - self._places_of(queue.function, is_nested=False)
            for queue in queues
        }
        # One ticket of each idle function comes first: it may go beyond the slots, and the streams of other
        # functions must not take the process that it needs.
        starting: dict[_Function, _Queue] = {}
        for queue in queues:
            function = queue.function
            left = places[function] - (0 if queue.depth else withheld[function])
            is_free = not function.computing and function not in starting and left > 0
            if is_free and not (queue.is_stream and streams_left < 1):
                starting[function] = queue
                places[function] -= 1
                streams_left -= queue.is_stream
        within = 0
        for queue in queues:
            waiting = len(queue.waiting) - (starting.get(queue.function) is queue)
            left = places[queue.function] - (0 if queue.depth else withheld[queue.function])
            may = min(waiting, max(left, 0))
            if queue.is_stream:
                may = min(may, streams_left)
                streams_left -= may
            places[queue.function] -= may
            within += may
        beyond = len(starting)
        return beyond + min(within, max(self._slots - self._busy - beyond, 0))

    def _fill(self, now_s: float) -> list[Action]:
        """
        Start the workers that are missing to each kind's floor, the spare included.
        """
        actions: list[Action] = []
        for kind in self._registry.missing(now_s):
            worker = self._registry.start(kind, self._max_workers)
            if worker is not None:
                actions.append(StartWorker(worker, kind))
        return actions

    def _retire(self, worker: int) -> RetireWorker:
        self._registry.retire(worker)
        return RetireWorker(worker)

    def _wait(self, ticket: int, queue: _Queue) -> None:
        queue.waiting[ticket] = None
        self._tickets[ticket] = queue
        self._pending[queue] = None

    def _unwait(self, ticket: int, queue: _Queue) -> None:
        del self._tickets[ticket]
        del queue.waiting[ticket]
        if not queue.waiting:
            del self._pending[queue]

    def _leave_function(self, worker: int) -> None:
        queue = self._running.pop(worker)
        self._resuming.pop(worker, None)
        queue.function.running -= 1
        self._streams -= queue.is_stream
        if self._registry.state(worker) is State.BUSY:
            queue.function.computing -= 1
            self._busy -= 1
        else:
            queue.function.waiting -= not queue.is_stream


def _precedence(queue: _Queue) -> tuple[int, int, int]:
    return queue.function.computing, -queue.depth, next(iter(queue.waiting))
