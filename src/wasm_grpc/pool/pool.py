"""The pool: takes invocations, and does what the schedule decides for them and for the workers."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections.abc import AsyncIterator, Sequence

from wasm_grpc.core.errors import InvocationError
from wasm_grpc.core.model import Invocation, Outcome, Reason
from wasm_grpc.core.observers import Observers
from wasm_grpc.core.settings import Settings
from wasm_grpc.pool.bases import Bases
from wasm_grpc.pool.batches import BatchSizes
from wasm_grpc.pool.blame import LOAD_S
from wasm_grpc.pool.dapr_calls import DaprApi
from wasm_grpc.pool.functions import PoolFunction
from wasm_grpc.pool.run import Run, State
from wasm_grpc.pool.schedule import (
    Action,
    Assign,
    FunctionPolicy,
    Pause,
    Resume,
    RetireWorker,
    Schedule,
    StartWorker,
)
from wasm_grpc.pool.stream import Stream
from wasm_grpc.pool.workers import Workers

__all__ = ["Pool", "open_pool"]

_log = logging.getLogger("wasm_grpc.pool")

_TICK_S = 1.0
_PAUSE_SLACK_S = 0.001
_TOLD_FAILURES = 3
"""After so many workers in a row that were of no use, the log says so."""
_START_S = 3 * LOAD_S
"""How long `Pool.start` waits: for three functions that do not load in time. It then serves what there is."""


class Pool:
    """
    The workers of one server, and the invocations that they run or that wait for them.

    Used on the event loop's thread only; made by `open_pool`. It is the `Owner` of its workers and the
    `Slots` of its invocations: both tell it what happened, it tells the schedule, and does what that decides.
    """

    def __init__(
        self, functions: Sequence[PoolFunction], settings: Settings, bases: Bases, observers: Observers
    ) -> None:
        self._functions = {each.function.name: each for each in functions}
        self._indexes = {name: index for index, name in enumerate(self._functions)}
        self._settings = settings
        self._observers = observers
        self._schedule = Schedule(
            {
                name: FunctionPolicy(kind=each.kind, max=each.policy.max, queue=each.policy.queue)
                for name, each in self._functions.items()
            },
            slots=settings.workers,
            max_workers=settings.max_workers,
        )
        self._workers = Workers(functions, settings, bases, observers, self)
        self._tickets = itertools.count(1)
        self._runs: dict[int, Sequence[Run]] = {}
        self._batch_sizes = BatchSizes()
        self._is_closing = False
        self._dapr: DaprApi | None = None
        self._loop = asyncio.get_running_loop()
        self._tick_handle: asyncio.TimerHandle | None = None
        self._all_up = asyncio.Event()

    def __repr__(self) -> str:
        return f"<Pool {self._schedule!r}>"

    def connect_dapr(self, api: DaprApi) -> None:
        """
        Let guests call Dapr from now on; call this before the first invocation.
        """
        self._dapr = api

    def capacity(self, function: str) -> int:
        """
        Return how many invocations of a function run at once, and as many that follow them if they may wait.
        """
        policy = self._functions[function].policy
        at_once = policy.max or self._settings.workers
        return at_once + min(at_once, policy.queue)

    def batch_size(self, function: str) -> int:
        """
        Return how many invocations of a function may go to a worker as one batch.
        """
        if self._functions[function].kind.is_exclusive:
            # Its worker runs one invocation and ends.
            return 1
        return self._batch_sizes.size(function)

    async def invoke(self, invocation: Invocation) -> Outcome:
        """
        Run one invocation; cancelling the caller stops the guest.

        Raises:
            InvocationError: It was not run: QUEUE_FULL, QUEUE_WAIT, DRAINING.
        """
        run = self._new_run(next(self._tickets), invocation)
        self._submit((run,))
        try:
            return await run.result
        finally:
            self._leave(run.ticket)

    async def invoke_batch(self, invocations: Sequence[Invocation]) -> list[Outcome | InvocationError]:
        """
        Run several invocations of one function on one worker, each in an instance of its own.

        The batch takes one place in the queue. If its worker dies, the invocations that had not begun go to
        another worker. Cancelling the caller stops all of them.

        Args:
            invocations: At least one, and at most `batch_size`.

        Returns:
            The outcome of each, or why it was not run: QUEUE_WAIT, DRAINING.

        Raises:
            InvocationError: None was run: QUEUE_FULL.
        """
        ticket = next(self._tickets)
        runs = [self._new_run(ticket, invocation) for invocation in invocations]
        self._submit(runs)
        try:
            with contextlib.suppress(InvocationError):
                # The last one ends last.
                await runs[-1].result
        finally:
            self._leave(ticket)
            # Also where the caller is gone: asyncio would log an error that was not looked at.
            results = [_result(run) for run in runs if run.result.done() and not run.result.cancelled()]
        self._batch_sizes.took(runs[0].function.name, [run.occupied_s for run in runs if run.occupied_s])
        return results

    @contextlib.asynccontextmanager
    async def open_stream(self, invocation: Invocation) -> AsyncIterator[Stream]:
        """
        Run one invocation whose input comes and whose output goes while it runs; leaving stops the guest.

        Args:
            invocation: Its body is not used: its input is what is sent to the stream.

        Raises:
            InvocationError: QUEUE_FULL. Its outcome raises what `invoke` does.
        """
        run = self._new_run(next(self._tickets), invocation)
        stream = run.open_stream()
        self._submit((run,))
        try:
            yield stream
        finally:
            self._leave(run.ticket)
            if not run.result.cancel() and not run.result.cancelled():
                # Nobody may have asked for the outcome; asyncio would log an error that was not looked at.
                run.result.exception()

    async def start(self) -> None:
        """
        Start the workers; done when those that are always kept take work, so that no call finds one cold.

        Raises:
            EngineUnavailableError, WorkerStartError: None came up.
        """
        self._perform(self._schedule.start())
        self._tick_handle = self._loop.call_later(_TICK_S, self._tick)
        with contextlib.suppress(asyncio.TimeoutError):
            # A function that is late, or broken, does not keep the others from being served.
            await asyncio.wait_for(self._wait_all_up(), _START_S)

    async def _wait_all_up(self) -> None:
        if self._functions and (error := await self._workers.wait_first()):
            raise error
        await self._all_up.wait()

    def stop(self, reason: Reason, message: str) -> None:
        """
        End every invocation, also those that wait, with this reason; `aclose` is all that may follow.
        """
        self._begin_closing()
        for ticket, runs in list(self._runs.items()):
            is_waiting = self._schedule.withdraw(ticket)
            for run in _unfinished(runs):
                if is_waiting:
                    run.refuse(reason, message)
                else:
                    run.kill(reason, message)

    async def aclose(self) -> None:
        """
        Kill and reap every worker.
        """
        self._begin_closing()
        if self._tick_handle is not None:
            self._tick_handle.cancel()
        await self._workers.aclose()

    def lend(self, worker: int) -> None:
        """
        See `Slots.lend`.
        """
        self._perform(self._schedule.lend(worker, self._loop.time()))

    def reclaim(self, worker: int) -> None:
        """
        See `Slots.reclaim`.
        """
        self._perform(self._schedule.reclaim(worker, self._loop.time()))

    def worker_ready(self, worker: int) -> None:
        """
        See `Owner.worker_ready`.
        """
        self._perform(self._schedule.worker_ready(worker, self._loop.time()))

    def worker_answered(self, worker: int, *, retires: bool, again: Sequence[Run] = ()) -> None:
        """
        See `Owner.worker_answered`.
        """
        actions = self._schedule.finished(worker, self._loop.time(), retires=retires)
        self._perform(actions + self._run_again(again) if again else actions)

    def worker_lost(self, worker: int, *, is_failure: bool, again: Sequence[Run] = ()) -> None:
        """
        See `Owner.worker_lost`.
        """
        actions = self._schedule.worker_lost(worker, self._loop.time(), is_failure=is_failure)
        self._perform(actions + self._run_again(again) if again else actions)

    def _run_again(self, runs: Sequence[Run]) -> list[Action]:
        first = runs[0]
        first.wait(self._waited_too_long)
        return self._schedule.run_again(
            first.ticket,
            first.function.name,
            self._loop.time(),
            is_stream=first.stream is not None,
            depth=first.depth,
        )

    def _new_run(self, ticket: int, invocation: Invocation) -> Run:
        return Run(
            ticket,
            self._indexes[invocation.function],
            self._functions[invocation.function].function,
            invocation,
            slots=self,
            observers=self._observers,
            api=self._dapr,
        )

    def _submit(self, runs: Sequence[Run]) -> None:
        first = runs[0]
        name, is_stream, depth = first.function.name, first.stream is not None, first.depth
        if not self._schedule.has_room(name, is_stream=is_stream, depth=depth):
            raise InvocationError(
                Reason.QUEUE_FULL,
                f"function '{name}': too many {'streams' if is_stream else 'invocations'} wait; "
                f"expected at most {self._functions[name].policy.queue}",
                function=name,
                limit="pool.queue",
            )
        for run in runs:
            run.queued()
        self._runs[first.ticket] = runs
        self._perform(
            self._schedule.submit(first.ticket, name, self._loop.time(), is_stream=is_stream, depth=depth)
        )
        if first.state is State.WAITING:
            first.wait(self._waited_too_long)

    def _perform(self, actions: Sequence[Action]) -> None:
        if self._is_closing:
            return
        if not self._schedule.is_starting:
            self._all_up.set()
        for action in actions:
            if isinstance(action, Assign):
                self._workers.assign(action.worker, _unfinished(self._runs[action.ticket]))
            elif isinstance(action, StartWorker):
                self._workers.start(action.worker, action.kind)
            elif isinstance(action, Resume):
                self._workers.resume(action.worker)
            elif isinstance(action, RetireWorker):
                self._workers.retire(action.worker)
            elif isinstance(action, Pause):
                self._pause(action)

    def _pause(self, pause: Pause) -> None:
        if pause.failures == _TOLD_FAILURES:
            _log.warning(
                "workers on %s end before they have run anything, %d in a row now; "
                "they are started ever more slowly, until one answers a call",
                pause.kind.runtime.engine.value,
                pause.failures,
            )
        # A little later: the loop's clock may be a moment behind.
        self._loop.call_later(pause.seconds + _PAUSE_SLACK_S, self._end_pause)

    def _end_pause(self) -> None:
        self._perform(self._schedule.tick(self._loop.time()))

    def _waited_too_long(self, first: Run) -> None:
        if self._schedule.withdraw(first.ticket):
            seconds = first.function.limits.queue_wait_s
            message = f"waited longer than {seconds:g} s for a free worker"
            for run in _unfinished(self._runs[first.ticket]):
                run.refuse(Reason.QUEUE_WAIT, message, "limits.queue_wait")

    def _leave(self, ticket: int) -> None:
        """
        Forget the invocations of a ticket, whose caller has their outcomes or is gone; the latter ends them.
        """
        runs = self._runs.pop(ticket)
        if runs[-1].state is State.ENDED:
            # The runs of a batch end in order.
            return
        is_waiting = self._schedule.withdraw(ticket)
        for run in _unfinished(runs):
            if is_waiting:
                run.withdraw()
            else:
                run.abandon()

    def _tick(self) -> None:
        self._tick_handle = self._loop.call_later(_TICK_S, self._tick)
        self._perform(self._schedule.tick(self._loop.time()))
        self._workers.check()

    def _begin_closing(self) -> None:
        self._is_closing = True
        self._workers.begin_closing()


def _result(run: Run) -> Outcome | InvocationError:
    error = run.result.exception()
    if isinstance(error, InvocationError):
        return error
    return run.result.result()


def _unfinished(runs: Sequence[Run]) -> list[Run]:
    return [run for run in runs if run.state is not State.ENDED]


@contextlib.asynccontextmanager
async def open_pool(
    functions: Sequence[PoolFunction],
    settings: Settings,
    bases: Bases,
    observers: Observers | None = None,
) -> AsyncIterator[Pool]:
    """
    Start the workers and, at the end, kill and reap every one of them.

    Gives the pool once its workers take work.

    Raises:
        EngineUnavailableError, WorkerStartError: None came up.
    """
    pool = Pool(functions, settings, bases, observers or Observers())
    try:
        await pool.start()
        yield pool
    finally:
        await asyncio.shield(pool.aclose())
