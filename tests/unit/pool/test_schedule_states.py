"""What holds for the schedule after any sequence of events."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import settings, strategies
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from wasm_grpc.core.model import EngineName, Runtime
from wasm_grpc.pool.registry import WorkerKind
from wasm_grpc.pool.schedule import Action, Assign, FunctionPolicy, Pause, Resume, Schedule, StartWorker

KINDS = (
    WorkerKind(Runtime(EngineName.WASMTIME, "python")),
    WorkerKind(Runtime(EngineName.WASMER, "python3.10")),
    WorkerKind(Runtime(EngineName.WASMTIME, "python"), "brings a model", is_exclusive=True),
)
DEPTHS = 3
"""The deepest ticket; what runs one calls nobody."""
NESTED_WORKERS = 2
"""Processes beyond the limit for each depth."""
PICK = strategies.integers(min_value=0, max_value=1 << 16)


def pick(items: Sequence[int], number: int) -> int:
    """Choose one of a few items that hypothesis can't know ahead."""
    return items[number % len(items)]


class ScheduledServer(RuleBasedStateMachine):
    """A server seen from its schedule: every action is checked against what the server knows."""

    @initialize(
        slots=strategies.integers(min_value=1, max_value=3),
        more_workers=strategies.integers(min_value=0, max_value=4),
        policies=strategies.lists(
            strategies.builds(
                FunctionPolicy,
                kind=strategies.sampled_from(KINDS),
                max=strategies.none() | strategies.integers(min_value=1, max_value=3),
                queue=strategies.integers(min_value=0, max_value=4),
            ),
            min_size=1,
            max_size=4,
        ),
    )
    def open(self, slots: int, more_workers: int, policies: list[FunctionPolicy]) -> None:
        """StartWorker with any functions, slots and processes."""
        self.slots = slots
        self.max_workers = slots + more_workers
        self.policies = {str(number): policy for number, policy in enumerate(policies)}
        self.schedule = Schedule(self.policies, slots=slots, max_workers=self.max_workers)
        self.now_s = 0.0
        self.last_ticket = 0
        self.workers: dict[int, WorkerKind] = {}
        self.starting: set[int] = set()
        self.idle: set[int] = set()
        self.busy: dict[int, int] = {}  # worker: ticket, also of those that lent their slot
        self.lent: set[int] = set()
        self.resuming: set[int] = set()  # of those
        self.streams: set[int] = set()  # tickets
        self.streams_limit = max(1, more_workers)
        self.function: dict[int, str] = {}  # of a ticket
        self.depth: dict[int, int] = {}  # of a ticket
        self.callee: dict[int, int] = {}  # worker whose guest has called: the ticket that it waits for
        self.waiting: list[int] = []
        self.paused_until_s = dict.fromkeys(KINDS, 0.0)
        self.perform(self.schedule.start())

    def perform(self, actions: Sequence[Action]) -> None:
        """Do what the schedule says, and check that it can be done."""
        for action in actions:
            if isinstance(action, Assign):
                assert action.worker in self.idle
                assert action.ticket in self.waiting, "run twice, or withdrawn"
                assert self.workers[action.worker] == self.policies[self.function[action.ticket]].kind
                assert len(self.busy) < self.running_limit(action.ticket)
                assert not self.is_full(action.ticket)
                self.idle.remove(action.worker)
                self.waiting.remove(action.ticket)
                self.busy[action.worker] = action.ticket
            elif isinstance(action, StartWorker):
                assert action.worker not in self.workers
                assert self.now_s >= self.paused_until_s[action.kind]
                self.workers[action.worker] = action.kind
                self.starting.add(action.worker)
            elif isinstance(action, Resume):
                assert action.worker in self.resuming
                self.resuming.remove(action.worker)
                self.lent.remove(action.worker)
            elif isinstance(action, Pause):
                self.paused_until_s[action.kind] = self.now_s + action.seconds
            else:
                self.idle.remove(action.worker)
                del self.workers[action.worker]

    def running(self, name: str) -> int:
        """Count the running tickets of a function."""
        return sum(self.function[ticket] == name for ticket in self.busy.values())

    def computing(self, name: str) -> int:
        """Count those that have a run slot."""
        return self.running(name) - sum(self.function[self.busy[worker]] == name for worker in self.lent)

    def running_streams(self) -> int:
        """Count the streams that have a process."""
        return len(self.streams.intersection(self.busy.values()))

    def may_compute(self, name: str) -> bool:
        """Say whether there is a run slot for a function."""
        return not self.computing(name) or len(self.busy) - len(self.lent) < self.slots

    def workers_limit(self, ticket: int) -> int:
        """Return how many processes there may be for a ticket."""
        return self.max_workers + NESTED_WORKERS * self.depth[ticket]

    def running_limit(self, ticket: int) -> int:
        """Return how many guests there may be with a ticket's: others are left some if its function waits."""
        name = self.function[ticket]
        waits = any(
            self.function[self.busy[worker]] == name and self.busy[worker] not in self.streams
            for worker in self.lent
        )
        is_reserved = waits and ticket not in self.streams and not self.depth[ticket]
        reserve = max(0, min(self.slots, self.max_workers - 2 * self.slots))
        return self.workers_limit(ticket) - (reserve if is_reserved else 0)

    def is_full(self, ticket: int) -> bool:
        """Say whether as many of a ticket's function run as may; for a nested one, none of them waits."""
        name = self.function[ticket]
        at_most = self.policies[name].max
        if at_most is None or self.depth[ticket]:
            return self.computing(name) >= (at_most or self.slots)
        return self.running(name) >= at_most

    def may_resume(self, worker: int) -> bool:
        """Say whether the rules let a guest go on now."""
        name = self.function[self.busy[worker]]
        at_most = self.policies[name].max or self.slots
        return self.computing(name) < at_most and self.may_compute(name)

    def may_run(self, ticket: int) -> bool:
        """Say whether the rules let a ticket run now."""
        if self.is_full(ticket) or len(self.busy) >= self.running_limit(ticket):
            return False
        if ticket in self.streams and self.running_streams() >= self.streams_limit:
            return False
        return self.may_compute(self.function[ticket])

    @rule(number=PICK, is_stream=strategies.booleans())
    def submit(self, number: int, *, is_stream: bool) -> None:
        """A call comes in."""
        self.take(number, is_stream=is_stream, depth=0)

    def take(self, number: int, *, is_stream: bool, depth: int) -> int | None:
        """Submit a ticket, and return it; None if there is no room for it."""
        name = str(number % len(self.policies))
        waits = [ticket for ticket in self.waiting if self.function[ticket] == name]
        alike = [ticket for ticket in waits if self.depth[ticket] == depth]
        queue = [ticket for ticket in alike if (ticket in self.streams) is is_stream]
        if not self.schedule.has_room(name, is_stream=is_stream, depth=depth):
            assert len(queue) >= self.policies[name].queue
            return None
        self.last_ticket += 1
        ticket = self.last_ticket
        self.function[ticket] = name
        self.depth[ticket] = depth
        self.waiting.append(ticket)
        if is_stream:
            self.streams.add(ticket)
        self.perform(self.schedule.submit(ticket, name, self.now_s, is_stream=is_stream, depth=depth))
        return ticket

    @precondition(lambda self: self.callers())
    @rule(number=PICK)
    def call(self, number: int) -> None:
        """A guest calls a function of this server, and waits."""
        worker = pick(self.callers(), number)
        self.lent.add(worker)
        self.perform(self.schedule.lend(worker, self.now_s))
        ticket = self.take(number, is_stream=False, depth=self.depth[self.busy[worker]] + 1)
        if ticket is not None:
            self.callee[worker] = ticket

    def callers(self) -> list[int]:
        """Return the workers whose guests compute and may call."""
        return sorted(
            worker
            for worker, ticket in self.busy.items()
            if worker not in self.lent and self.depth[ticket] < DEPTHS
        )

    def waits_for_callee(self, worker: int) -> bool:
        """Say whether the call that a worker's guest made has not ended."""
        ticket = self.callee.get(worker)
        return ticket is not None and (ticket in self.waiting or ticket in self.busy.values())

    def resumable(self) -> list[int]:
        """Return the workers with a lent slot whose guests can go on."""
        lent = sorted(self.lent - self.resuming)
        return [worker for worker in lent if not self.waits_for_callee(worker)]

    @precondition(lambda self: self.computing_streams())
    @rule(number=PICK)
    def lend(self, number: int) -> None:
        """A stream's guest waits for its peer."""
        worker = pick(self.computing_streams(), number)
        self.lent.add(worker)
        self.perform(self.schedule.lend(worker, self.now_s))

    @precondition(lambda self: self.resumable())
    @rule(number=PICK)
    def resume(self, number: int) -> None:
        """The peer of a guest came, or what it called has answered."""
        worker = pick(self.resumable(), number)
        self.resuming.add(worker)
        self.perform(self.schedule.reclaim(worker, self.now_s))

    def computing_streams(self) -> list[int]:
        """Return the workers whose streams have a run slot."""
        return sorted(
            worker
            for worker, ticket in self.busy.items()
            if ticket in self.streams and worker not in self.lent
        )

    @precondition(lambda self: self.waiting)
    @rule(number=PICK)
    def withdraw(self, number: int) -> None:
        """A caller that waits goes."""
        ticket = pick(self.waiting, number)
        assert self.schedule.withdraw(ticket)
        self.waiting.remove(ticket)

    @precondition(lambda self: self.busy)
    @rule(number=PICK)
    def withdraw_too_late(self, number: int) -> None:
        """A ticket that runs can't be withdrawn."""
        assert not self.schedule.withdraw(pick(sorted(self.busy.values()), number))

    @precondition(lambda self: self.starting)
    @rule(number=PICK)
    def worker_ready(self, number: int) -> None:
        """A process is up."""
        worker = pick(sorted(self.starting), number)
        self.starting.remove(worker)
        self.idle.add(worker)
        self.perform(self.schedule.worker_ready(worker, self.now_s))

    def finishable(self) -> list[int]:
        """Return the workers whose guests can end."""
        return [worker for worker in sorted(self.busy) if not self.waits_for_callee(worker)]

    @precondition(lambda self: self.finishable())
    @rule(number=PICK, retires=strategies.booleans())
    def finish(self, number: int, *, retires: bool) -> None:
        """A guest ends."""
        worker = pick(self.finishable(), number)
        self.leave(worker)
        if retires:
            del self.workers[worker]
        else:
            self.idle.add(worker)
        self.perform(self.schedule.finished(worker, self.now_s, retires=retires))

    @precondition(lambda self: self.workers)
    @rule(number=PICK, again=strategies.booleans(), is_failure=strategies.booleans())
    def lose(self, number: int, *, again: bool, is_failure: bool) -> None:
        """A process dies; if it was busy, its ticket may not have been begun."""
        worker = pick(sorted(self.workers), number)
        del self.workers[worker]
        self.starting.discard(worker)
        self.idle.discard(worker)
        ticket = self.leave(worker)
        self.perform(self.schedule.worker_lost(worker, self.now_s, is_failure=is_failure))
        assert self.schedule.worker_lost(worker, self.now_s) == []
        if ticket is not None and again:
            self.waiting.append(ticket)
            name, is_stream, depth = self.function[ticket], ticket in self.streams, self.depth[ticket]
            self.perform(self.schedule.run_again(ticket, name, self.now_s, is_stream=is_stream, depth=depth))

    def leave(self, worker: int) -> int | None:
        """A worker has no guest any more; give its ticket."""
        self.lent.discard(worker)
        self.resuming.discard(worker)
        self.callee.pop(worker, None)
        return self.busy.pop(worker, None)

    @rule(seconds=strategies.sampled_from([0.3, 1.0, 6.0]))
    def tick(self, seconds: float) -> None:
        """Time passes."""
        self.now_s += seconds
        self.perform(self.schedule.tick(self.now_s))

    @invariant()
    def is_within_its_bounds(self) -> None:
        """Processes, slots and each function's max are never exceeded."""
        assert len(self.workers) <= self.max_workers + NESTED_WORKERS * DEPTHS
        assert len(self.busy) - len(self.lent) <= self.slots + len(self.policies)
        assert self.running_streams() <= self.streams_limit
        for name, policy in self.policies.items():
            assert self.computing(name) <= self.slots
            assert policy.max is None or self.computing(name) <= policy.max

    @invariant()
    def leaves_nothing_undone(self) -> None:
        """No ticket that may run waits beside an idle worker, nor for a process that could be started."""
        for ticket in filter(self.may_run, self.waiting):
            kind = self.policies[self.function[ticket]].kind
            assert not any(self.workers[worker] == kind for worker in self.idle)
            if self.now_s >= self.paused_until_s[kind]:
                comes = any(self.workers[worker] == kind for worker in self.starting)
                has_room = len(self.workers) < self.workers_limit(ticket) or bool(self.idle)
                assert comes or not has_room
        assert not any(map(self.may_resume, self.resuming))

    def teardown(self) -> None:
        """Whatever came before, every ticket that was not withdrawn runs in the end."""
        if not hasattr(self, "schedule"):
            return
        for _ in range(3 * (len(self.waiting) + len(self.workers)) + 10):
            self.now_s += 1
            for worker in sorted(self.starting):
                self.starting.discard(worker)
                self.idle.add(worker)
                self.perform(self.schedule.worker_ready(worker, self.now_s))
            for worker in self.finishable():
                self.leave(worker)
                self.idle.add(worker)
                self.perform(self.schedule.finished(worker, self.now_s))
            self.perform(self.schedule.tick(self.now_s))
            self.leaves_nothing_undone()
        assert not self.waiting
        assert not self.busy


ScheduledServer.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
test_any_sequence_of_events = ScheduledServer.TestCase
