"""
The worker processes of one server: started, given functions to load, watched, and ended.

Theory of operation. The schedule names a worker by a number before its process exists. The process is forked
from a template that has loaded the functions that are loaded in advance (``pool.min``). What the template
could not load for it, it loads before it takes invocations, so that no guest's time is spent on that. Every
other function is loaded by the first invocation that needs it. One timer for each worker limits the LOAD that
it works on, so that a function that is late is known by its name.

Whatever happens to a worker ends up in one of the calls of `Owner`. A worker that was killed still counts
until its process has been reaped: it may have answered in its last moment, and its memory is taken.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from wasm_grpc.core import wire
from wasm_grpc.core.errors import ProtocolError, WasmGrpcError
from wasm_grpc.core.memory_limits import over_worker_memory
from wasm_grpc.core.model import MIB, Reason
from wasm_grpc.core.observers import Observers, WorkerLost, WorkerStarted
from wasm_grpc.core.settings import Settings
from wasm_grpc.pool import blame
from wasm_grpc.pool.bases import Bases
from wasm_grpc.pool.blame import Blames
from wasm_grpc.pool.functions import PoolFunction, kind_bytes
from wasm_grpc.pool.loading import Loading
from wasm_grpc.pool.memory import held_bytes
from wasm_grpc.pool.promises import FrameLimits, check_outcome, frame_limits
from wasm_grpc.pool.registry import WorkerKind
from wasm_grpc.pool.run import Run, State, not_loadable
from wasm_grpc.pool.session import Session
from wasm_grpc.pool.templates import Templates

__all__ = ["Owner", "Workers"]

_log = logging.getLogger("wasm_grpc.pool")

_USEFUL_S = 10.0
"""A worker that has run nothing and ends earlier has failed: others may end in the same way."""


class Owner(Protocol):
    """
    Who is told what becomes of the workers.
    """

    def worker_ready(self, worker: int) -> None:
        """
        It takes invocations from now on.
        """
        ...

    def worker_answered(self, worker: int, *, retires: bool, again: Sequence[Run] = ()) -> None:
        """
        It has nothing left to run.

        Args:
            worker: Its number.
            retires: The process ends as well.
            again: The invocations that it was sent and will not run, for another worker.
        """
        ...

    def worker_lost(self, worker: int, *, is_failure: bool, again: Sequence[Run] = ()) -> None:
        """
        Its process did not start, or has ended.

        Args:
            worker: Its number.
            is_failure: It was of no use. Others may end in the same way, so they should be started slowly.
            again: The invocations that it had not begun, for another worker.
        """
        ...


@dataclass(slots=True, eq=False)
class _Worker:
    number: int
    kind: WorkerKind
    session: Session
    started_s: float
    # The invocations that it was sent and has not answered. It runs the first.
    runs: deque[Run] = field(default_factory=deque)
    sent: int = 0
    is_ready: bool = False
    has_answered: bool = False
    frame_limits: FrameLimits | None = None
    load_timer: asyncio.TimerHandle | None = None

    @property
    def pid(self) -> int:
        return self.session.process.pid

    @property
    def run(self) -> Run | None:
        return self.runs[0] if self.runs else None


class Workers:
    """
    The worker processes of one server. Used on the event loop's thread only.
    """

    def __init__(
        self,
        functions: Sequence[PoolFunction],
        settings: Settings,
        bases: Bases,
        observers: Observers,
        owner: Owner,
    ) -> None:
        self._functions = functions
        self._loads = [wire.encode(wire.Load(index, each.function)) for index, each in enumerate(functions)]
        self._bases = bases
        self._frame_limits = [
            tuple(frame_limits(each.function, is_stream=is_stream) for is_stream in (False, True))
            for each in functions
        ]
        self._observers = observers
        self._owner = owner
        self._worker_bytes = kind_bytes(functions, settings)
        self._blames = Blames([each.function.name for each in functions])
        self._templates = Templates(
            functions,
            self._blames,
            bases,
            worker_bytes=self._worker_bytes,
        )
        self._loading = Loading()
        self._workers: dict[int, _Worker] = {}
        self._starts: set[asyncio.Task[None]] = set()
        self._start_error: WasmGrpcError | None = None
        self._is_closing = False
        self._loop = asyncio.get_running_loop()

    def start(self, number: int, kind: WorkerKind) -> None:
        """
        Start a process in the background.
        """
        start = self._loop.create_task(self._start(number, kind))
        self._starts.add(start)
        start.add_done_callback(self._starts.discard)

    async def wait_first(self) -> WasmGrpcError | None:
        """
        Wait until the first process has come up; return why none did.
        """
        while self._starts and not self._workers:
            await asyncio.wait(self._starts, return_when=asyncio.FIRST_COMPLETED)
        if self._workers:
            return None
        return self._start_error or ProtocolError("no worker came up")

    def assign(self, number: int, runs: Sequence[Run]) -> None:
        """
        Send invocations of one function to an idle worker, which loads the function first if it has to.
        """
        worker = self._workers[number]
        first = runs[0]
        is_loaded = self._loading.is_loaded(number, first.index)
        if not is_loaded:
            if reason := self._blames.blocked(first.index, self._loop.time()):
                for run in runs:
                    run.end(not_loadable(reason))
                self._owner.worker_answered(number, retires=False)
                return
            self._load(worker, first.index)
            self._time_load(worker)
        limits = self._frame_limits[first.index][first.stream is not None]
        if worker.frame_limits is not limits:
            worker.frame_limits = limits
            worker.session.connection.limit_frames(head_bytes=limits.head_bytes, body_bytes=limits.body_bytes)
        messages = [run.assign(number, worker.session, worker.sent + at) for at, run in enumerate(runs, 1)]
        worker.runs.extend(runs)
        worker.sent += len(runs)
        first.take_turn(is_loaded=is_loaded)
        if len(messages) == 1:
            worker.session.send(messages[0])
        else:
            worker.session.connection.send_all(messages)

    def resume(self, number: int) -> None:
        """
        Return the run slot of a worker's guest, which then goes on.
        """
        worker = self._workers.get(number)
        if worker is not None and worker.run is not None:
            worker.run.lease.granted()

    def retire(self, number: int) -> None:
        """
        Let an idle worker end.
        """
        self._workers[number].session.process.retire()

    def check(self) -> None:
        """
        End workers that take too much memory or do not begin what they were sent, and what they left behind.

        Call it every second or so.
        """
        self._bases.end_strays()
        now_s = self._loop.time()
        for worker in self._workers.values():
            if worker.run is not None and worker.run.is_overdue(now_s):
                _log.warning("worker %d did not begin an invocation in time and is replaced", worker.pid)
                worker.session.process.kill()
            held = held_bytes(worker.pid)
            limit_bytes = self._worker_bytes[worker.kind]
            if held <= limit_bytes:
                continue
            if worker.run is None:
                _log.warning("idle worker %d holds %d MiB and is replaced", worker.pid, held // MIB)
                worker.session.process.kill()
            else:
                problem = over_worker_memory(f"its worker grew to {held // MIB} MiB", limit_bytes)
                worker.run.kill(Reason.WORKER_MEMORY, problem)

    def begin_closing(self) -> None:
        """
        Tell the owner and the observers nothing of workers from now on: none is replaced.
        """
        self._is_closing = True

    async def aclose(self) -> None:
        """
        Kill and reap every process.
        """
        self.begin_closing()
        for worker in self._workers.values():
            _cancel(worker.load_timer)
        for start in self._starts:
            start.cancel()
        await asyncio.gather(*self._starts, return_exceptions=True)
        await self._templates.aclose()
        await asyncio.gather(*(worker.session.process.end() for worker in self._workers.values()))

    async def _start(self, number: int, kind: WorkerKind) -> None:
        try:
            session, loaded = await self._templates.fork(kind)
        except WasmGrpcError as exc:
            self._start_error = exc
            _log.error("a worker did not start: %s", exc)
            self._owner.worker_lost(number, is_failure=True)
            return
        worker = self._workers[number] = _Worker(number, kind, session, self._loop.time())
        if WorkerStarted in self._observers:
            self._observers.tell(WorkerStarted(worker=worker.pid, engine=kind.runtime.engine))
        session.connection.on_message(lambda message: self._receive(worker, message))
        session.process.on_exit(lambda code: self._exited(worker, code))
        self._loading.add(number, loaded)
        for index, each in enumerate(self._functions):
            is_for_worker = each.kind == kind and each.is_loaded_in_advance and not each.is_forkable
            if is_for_worker and not self._blames.blocked(index, self._loop.time()):
                self._load(worker, index)
        self._get_ready(worker)

    def _load(self, worker: _Worker, index: int) -> None:
        worker.session.connection.send_encoded(self._loads[index])
        self._loading.sent(worker.number, index)

    def _get_ready(self, worker: _Worker) -> None:
        """
        Let a worker take invocations once it has answered every LOAD that it was sent in advance.
        """
        self._time_load(worker)
        if worker.load_timer is None:
            worker.is_ready = True
            self._owner.worker_ready(worker.number)

    def _time_load(self, worker: _Worker) -> None:
        """
        Limit the time of the LOAD that the worker works on now, if there is one.
        """
        _cancel(worker.load_timer)
        worker.load_timer = None
        if self._loading.current(worker.number) is not None:
            worker.load_timer = self._loop.call_later(blame.LOAD_S, self._loaded_too_long, worker)

    def _loaded_too_long(self, worker: _Worker) -> None:
        index = self._loading.current(worker.number)
        if index is not None:
            self._blames.delayed(index, self._loop.time())
            worker.session.process.kill()

    def _receive(self, worker: _Worker, message: wire.Message) -> None:
        run = worker.run
        if isinstance(message, (wire.Loaded, wire.LoadFailed)):
            self._loaded(worker, message)
        elif run is None or run.state is State.LOADING:
            raise wire.out_of_place(message, "LOADED or LOAD_FAILED")
        elif isinstance(message, wire.Result):
            self._answered(worker, run, message)
        else:
            run.receive(message)

    def _answered(self, worker: _Worker, run: Run, message: wire.Result) -> None:
        if not run.has_begun():
            # A second answer to the run before it, or one out of turn.
            raise ProtocolError("RESULT frame: its invocation was not begun; expected it to be counted first")
        if run.waits_for_dapr:
            raise wire.out_of_place(message, "none before DAPR_ANSWER")
        check_outcome(
            message.outcome,
            run.function,
            is_stream=run.stream is not None,
            is_loaded=self._loading.has_loaded(worker.number, run.index),
        )
        worker.runs.popleft()
        worker.has_answered = True
        run.end(message.outcome)
        if message.is_tainted or worker.kind.is_exclusive:
            again = [each for each in worker.runs if each.passed_over()]
            worker.runs.clear()
            worker.session.process.retire()
            self._owner.worker_answered(worker.number, retires=True, again=again)
        elif not worker.runs:
            # A worker that was killed may still have answered, but must get no other invocation.
            if run.is_killed:
                worker.session.process.retire()
            self._owner.worker_answered(worker.number, retires=run.is_killed)
        elif not run.is_killed:
            # Where it was killed, the process may still have begun the next one: `_exited` will know.
            worker.runs[0].take_turn()

    def _loaded(self, worker: _Worker, message: wire.Loaded | wire.LoadFailed) -> None:
        index, is_loaded = message.index, isinstance(message, wire.Loaded)
        self._loading.answered(worker.number, index, is_loaded=is_loaded)
        if isinstance(message, wire.LoadFailed):
            # The worker answers every call of the function with this error.
            self._blames.failed(index, worker.pid, message.error)
        else:
            self._blames.loaded(index)
            self._templates.also_load(worker.kind, index)
        if not worker.is_ready:
            self._get_ready(worker)
            return
        self._time_load(worker)
        if worker.run is not None and worker.run.index == index:
            worker.run.loaded(is_loaded=is_loaded)

    def _exited(self, worker: _Worker, code: int) -> None:
        del self._workers[worker.number]
        _cancel(worker.load_timer)
        run = worker.run
        has_run = worker.has_answered or worker.session.process.begun() > 0
        was_useless = not has_run and self._loop.time() - worker.started_s < _USEFUL_S
        loading = self._loading.lost(worker.number)
        if loading is not None and not self._is_closing and not (run is not None and run.is_killed):
            memory_bytes = self._worker_bytes[worker.kind]
            self._blames.died(loading, worker.pid, code, self._loop.time(), memory_bytes=memory_bytes)
        again: list[Run] = []
        if run is not None:
            blocked = self._blames.blocked(run.index, self._loop.time())
            again = [each for each in worker.runs if each.worker_died(code, blocked=blocked)]
        if self._is_closing:
            for each in again:
                each.refuse(Reason.DRAINING, "the server stopped before it ran")
            return
        if WorkerLost in self._observers:
            self._observers.tell(
                WorkerLost(
                    worker=worker.pid,
                    engine=worker.kind.runtime.engine,
                    exit_code=code,
                    was_idle=run is None and loading is None,
                )
            )
        # Where it was loading a function, or was sent an invocation, that may be to blame: another worker
        # starts at once, since calls of other functions may wait for it.
        is_failure = loading is None and run is None and was_useless
        self._owner.worker_lost(worker.number, is_failure=is_failure, again=again)


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
