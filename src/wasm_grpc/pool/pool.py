"""The pool: hands invocations to worker processes as the schedule says, and keeps their limits."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import signal
from collections.abc import AsyncIterator, Sequence

from wasm_grpc.core import wire
from wasm_grpc.core.errors import InvocationError, ProtocolError, WasmGrpcError
from wasm_grpc.core.model import MIB, Invocation, Outcome, Reason, WorkerFunction
from wasm_grpc.core.observers import (
    InvocationFinished,
    InvocationQueued,
    InvocationStarted,
    Observers,
    WorkerLost,
    WorkerStarted,
)
from wasm_grpc.core.settings import Settings
from wasm_grpc.pool.functions import PoolFunction, kind_bytes
from wasm_grpc.pool.job import Job
from wasm_grpc.pool.loading import BLOCKED_S, Loading
from wasm_grpc.pool.memory import resident_bytes, result_bytes
from wasm_grpc.pool.process import exit_text
from wasm_grpc.pool.registry import WorkerKind
from wasm_grpc.pool.schedule import Action, FunctionPolicy, Resume, Run, Schedule, Start, Stop
from wasm_grpc.pool.session import Session
from wasm_grpc.pool.stream import Stream

__all__ = ["Pool", "open_pool"]

_log = logging.getLogger("wasm_grpc.pool")

_TICK_S = 1.0
_LOAD_S = 10.0
"""The longest that a worker may take to load a function: a 20 MB artifact takes some 50 ms, a model 0.2 s."""
_START_LOADS = 3
"""How many such time-outs `Pool.start` waits for; it then serves what there is."""
_BEGIN_S = 2.0
"""The longest that an idle worker may take to begin an invocation; it takes well under 1 ms."""
_TRIES = 3
"""Workers that an invocation may find dead before it is begun."""


class Pool:
    """
    The workers of one server. Used on the event loop's thread only; made by `open_pool`.
    """

    def __init__(self, functions: Sequence[PoolFunction], settings: Settings, observers: Observers) -> None:
        self._functions = {f.function.name: f for f in functions}
        self._names = tuple(self._functions)
        self._indexes = {name: index for index, name in enumerate(self._names)}
        self._loads = [wire.encode(wire.Load(index, f.function)) for index, f in enumerate(functions)]
        self._settings = settings
        self._observers = observers
        self._schedule = Schedule(
            {name: _schedule_policy(f) for name, f in self._functions.items()},
            slots=settings.workers,
            max_workers=settings.max_workers,
        )
        self._worker_bytes = kind_bytes(functions, settings)
        self._body_limit = result_bytes(each.function.limits for each in functions)
        self._tickets = itertools.count(1)
        self._jobs: dict[int, Job] = {}
        self._running: dict[int, Job] = {}
        self._workers: dict[int, Session] = {}
        self._kinds: dict[int, WorkerKind] = {}
        self._loading = Loading()
        # Workers that still load what is loaded ahead, each with the timer of its current LOAD.
        self._unready: dict[int, asyncio.TimerHandle | None] = {}
        self._starts: set[asyncio.Task[None]] = set()
        self._is_closing = False
        self._loop = asyncio.get_running_loop()
        self._tick_handle: asyncio.TimerHandle | None = None
        self._start_error: WasmGrpcError | None = None
        self._all_up = asyncio.Event()

    def __repr__(self) -> str:
        return f"<Pool {self._schedule!r}>"

    def capacity(self, function: str) -> int:
        """
        Return how many invocations of a function run at once, and as many that follow them if they may wait.
        """
        policy = self._functions[function].policy
        at_once = policy.max or self._settings.workers
        return at_once + min(at_once, policy.queue)

    async def invoke(self, invocation: Invocation) -> Outcome:
        """
        Run one invocation; cancelling the caller stops the guest.

        Raises:
            InvocationError: It was not run: QUEUE_FULL, QUEUE_WAIT or UNAVAILABLE.
        """
        job = self._new_job(invocation)
        self._submit(job)
        try:
            return await job.result
        finally:
            self._abandon(job)

    @contextlib.asynccontextmanager
    async def open_stream(self, invocation: Invocation) -> AsyncIterator[Stream]:
        """
        Run one invocation whose input comes and whose output goes while it runs; leaving stops the guest.

        Args:
            invocation: Its body is not used: input is what is sent.

        Raises:
            InvocationError: QUEUE_FULL; its outcome raises what `invoke` does.
        """
        job = self._new_job(invocation)
        stream = job.stream = Stream(
            job.result,
            job.function.limits,
            lend=lambda: self._perform(self._schedule.lend(job.worker, self._loop.time())),
            resume=lambda: self._perform(self._schedule.resume(job.worker, self._loop.time())),
            stop=lambda reason, message: self._kill(job, reason, message),
        )
        self._submit(job)
        try:
            yield stream
        finally:
            self._abandon(job)
            if not job.result.cancel() and not job.result.cancelled():
                # Nobody may have asked.
                job.result.exception()

    async def start(self) -> None:
        """
        Start the workers; done when those that are always kept take work, so that no call finds one cold.

        Raises:
            EngineUnavailableError, WorkerStartError: None came up.
        """
        self._perform(self._schedule.start())
        self._tick_handle = self._loop.call_later(_TICK_S, self._tick)
        while self._starts and not self._workers:
            await asyncio.wait(self._starts, return_when=asyncio.FIRST_COMPLETED)
        if not self._workers and self._functions:
            await self.aclose()
            raise self._start_error or ProtocolError("no worker came up")
        with contextlib.suppress(asyncio.TimeoutError):
            # What is late, or broken, does not keep the others from being served.
            await asyncio.wait_for(self._all_up.wait(), _START_LOADS * _LOAD_S)

    def stop(self, reason: Reason, message: str) -> None:
        """
        End every invocation, also those that wait, with this reason; `aclose` is all that may follow.
        """
        self._is_closing = True
        for job in list(self._jobs.values()):
            if self._schedule.withdraw(job.ticket):
                self._refuse(job, reason, message)
            else:
                self._kill(job, reason, message)

    async def aclose(self) -> None:
        """
        Kill and reap every worker.
        """
        self._is_closing = True
        if self._tick_handle is not None:
            self._tick_handle.cancel()
        for timer in filter(None, self._unready.values()):
            timer.cancel()
        for start in self._starts:
            start.cancel()
        await asyncio.gather(*self._starts, return_exceptions=True)
        await asyncio.gather(*(worker.process.end() for worker in self._workers.values()))

    def _new_job(self, invocation: Invocation) -> Job:
        return Job(
            ticket=next(self._tickets),
            index=self._indexes[invocation.function],
            function=self._functions[invocation.function].function,
            invocation=invocation,
            result=self._loop.create_future(),
            taken_s=self._loop.time(),
        )

    def _submit(self, job: Job) -> None:
        name, is_stream = job.function.name, job.stream is not None
        if not self._schedule.has_room(name, is_stream=is_stream):
            raise InvocationError(
                Reason.QUEUE_FULL,
                f"function '{name}': too many {'streams' if is_stream else 'invocations'} wait; "
                f"expected at most {self._functions[name].policy.queue}",
                function=name,
                limit="pool.queue",
            )
        if InvocationQueued in self._observers:
            self._observers.tell(InvocationQueued(invocation_id=job.invocation.id, function=name))
        self._jobs[job.ticket] = job
        self._perform(self._schedule.submit(job.ticket, name, self._loop.time(), is_stream=is_stream))
        if not job.worker:
            job.arm(job.function.limits.queue_wait_s, self._waited_too_long)

    def _perform(self, actions: Sequence[Action]) -> None:
        if not self._schedule.is_starting:
            self._all_up.set()
        for action in actions:
            if isinstance(action, Run):
                self._run(action.ticket, action.worker)
            elif isinstance(action, Start):
                start = self._loop.create_task(self._start(action.worker, action.kind))
                self._starts.add(start)
                start.add_done_callback(self._starts.discard)
            elif isinstance(action, Resume):
                self._resume(action.worker)
            elif isinstance(action, Stop):
                self._workers[action.worker].process.retire()

    async def _start(self, worker_id: int, kind: WorkerKind) -> None:
        try:
            worker = await Session.start(
                kind.runtime, memory_bytes=self._worker_bytes[kind], body_limit=self._body_limit
            )
        except WasmGrpcError as exc:
            self._start_error = exc
            _log.error("a worker did not start: %s", exc)
            self._perform(self._schedule.worker_lost(worker_id, self._loop.time()))
            return
        self._workers[worker_id] = worker
        self._kinds[worker_id] = kind
        if WorkerStarted in self._observers:
            self._observers.tell(WorkerStarted(worker=worker.process.pid, engine=kind.runtime.engine))
        worker.connection.on_message(lambda message: self._receive(worker_id, message))
        worker.process.on_exit(lambda code: self._exited(worker_id, code))
        self._loading.add(worker_id)
        for index, function in enumerate(self._functions.values()):
            is_loaded_ahead = function.kind == kind and function.policy.min
            if is_loaded_ahead and not self._loading.blocked(index, self._loop.time()):
                self._load(worker_id, index)
        self._unready[worker_id] = None
        self._load_ahead(worker_id)

    def _load(self, worker_id: int, index: int) -> None:
        self._workers[worker_id].connection.send_encoded(self._loads[index])
        self._loading.sent(worker_id, index)

    def _load_ahead(self, worker_id: int) -> None:
        """
        Let a worker take work once it has loaded what is loaded ahead: a guest's time runs from its start.

        Each function has the whole time for itself, so that a late one is known by its name.
        """
        timer = self._unready.pop(worker_id)
        if timer is not None:
            timer.cancel()
        if self._loading.current(worker_id) is None:
            self._perform(self._schedule.worker_ready(worker_id, self._loop.time()))
        else:
            timer = self._loop.call_later(_LOAD_S, self._loaded_too_long, worker_id)
            self._unready[worker_id] = timer

    def _run(self, ticket: int, worker_id: int) -> None:
        job = self._jobs[ticket]
        worker = self._workers[worker_id]
        job.worker = worker_id
        job.tries += 1
        job.sent_s = self._loop.time()
        self._running[worker_id] = job
        invocation = job.invocation
        job.is_loading = not self._loading.is_loaded(worker_id, job.index)
        if job.is_loading:
            if refusal := self._refusal(job):
                self._finish(worker_id, job, refusal)
                self._perform(self._schedule.finished(worker_id, self._loop.time()))
                return
            self._load(worker_id, job.index)
            # Until it is LOADED the guest has not started, so its own time does not run yet.
            job.arm(_LOAD_S, lambda _: self._loaded_too_long(worker_id))
        else:
            self._started(job)
        if job.stream is not None:
            job.stream.attach(worker.connection)
        if InvocationStarted in self._observers:
            self._observers.tell(
                InvocationStarted(
                    invocation_id=invocation.id, function=invocation.function, worker=worker.process.pid
                )
            )
        env = wire.encode_env(invocation.env)
        worker.send(wire.Invoke(job.index, env, invocation.body, streams=job.stream is not None))

    def _started(self, job: Job) -> None:
        limits = job.function.limits
        if job.stream is not None:
            job.stream.start(lambda: self._idled_too_long(job))
        elif limits.timeout_s is None:
            # "unlimited" is for streams, and no caller's deadline comes through daprd.
            job.arm(limits.idle_timeout_s, self._gave_nothing)
            return
        job.arm(limits.timeout_s, self._ran_too_long)

    def _resume(self, worker_id: int) -> None:
        job = self._running.get(worker_id)
        if job is not None and job.stream is not None:
            job.stream.resumed()

    def _receive(self, worker_id: int, message: wire.Message) -> None:
        job = self._running.get(worker_id)
        stream = job.stream if job is not None else None
        if isinstance(message, wire.Result) and job is not None:
            self._finish(worker_id, job, message.outcome)
            retires = message.is_tainted or self._kinds[worker_id].is_exclusive
            if retires:
                self._workers[worker_id].process.retire()
            self._perform(self._schedule.finished(worker_id, self._loop.time(), retires=retires))
        elif isinstance(message, wire.Output) and stream is not None:
            stream.written(bytes(message.chunk))
        elif isinstance(message, wire.Read) and stream is not None:
            stream.wanted(message.taken)
        elif isinstance(message, wire.Resume) and stream is not None:
            stream.waits_no_longer()
        elif isinstance(message, (wire.Loaded, wire.LoadFailed)):
            self._loaded(worker_id, job, message)
        else:
            raise ProtocolError(f"{message.kind.name} frame where RESULT was expected")

    def _loaded(self, worker_id: int, job: Job | None, message: wire.Loaded | wire.LoadFailed) -> None:
        index, is_loaded = message.index, isinstance(message, wire.Loaded)
        if not self._loading.answered(worker_id, index, is_loaded=is_loaded):
            # A worker can't buy its guest time by saying it again.
            return
        if isinstance(message, wire.LoadFailed):
            # The worker says it again to whoever calls the function, and may try again then.
            pid = self._workers[worker_id].process.pid
            _log.error("function '%s': worker %d can't load it: %s", self._names[index], pid, message.error)
        if worker_id in self._unready:
            self._load_ahead(worker_id)
        elif job is not None and index == job.index:
            job.is_loading = False
            if is_loaded:
                self._started(job)

    def _refusal(self, job: Job) -> Outcome | None:
        """
        Return the outcome of an invocation whose function no worker loads for now.
        """
        reason = self._loading.blocked(job.index, self._loop.time())
        return Outcome(reason=Reason.UNAVAILABLE, message=f"it can't be loaded: {reason}") if reason else None

    def _finish(self, worker_id: int, job: Job, outcome: Outcome) -> None:
        del self._running[worker_id]
        job.disarm()
        self._jobs.pop(job.ticket, None)
        if not job.result.done():
            job.result.set_result(outcome)
        if job.stream is not None:
            job.stream.ended()
        self._tell_finished(job, outcome)

    def _tell_finished(self, job: Job, outcome: Outcome) -> None:
        if InvocationFinished in self._observers:
            self._observers.tell(
                InvocationFinished(
                    invocation_id=job.invocation.id,
                    function=job.function.name,
                    outcome=outcome,
                    duration_s=self._loop.time() - job.taken_s,
                )
            )

    def _exited(self, worker_id: int, code: int) -> None:
        worker = self._workers.pop(worker_id)
        kind = self._kinds.pop(worker_id)
        if timer := self._unready.pop(worker_id, None):
            timer.cancel()
        job = self._running.get(worker_id)
        loading = self._loading.lost(worker_id)
        if loading is not None and not self._is_closing and (job is None or job.ended_by is None):
            self._blame_death(loading, kind, worker.process.pid, code)
        actions = self._schedule.worker_lost(worker_id, self._loop.time(), pauses=loading is None)
        if job is not None:
            # If the worker died before the guest began, the call has not failed: another worker takes it.
            if job.ended_by is None and job.is_loading and (refusal := self._refusal(job)):
                self._finish(worker_id, job, refusal)
            elif job.ended_by is None and not worker.has_begun() and job.tries < _TRIES:
                del self._running[worker_id]
                job.worker = 0
                job.arm(job.function.limits.queue_wait_s, self._waited_too_long)
                actions += self._schedule.run_again(
                    job.ticket, job.function.name, self._loop.time(), is_stream=job.stream is not None
                )
            else:
                self._finish(worker_id, job, job.ended_by or _crash(job.function, code))
        if WorkerLost in self._observers and not self._is_closing:
            was_idle = job is None and loading is None
            engine = kind.runtime.engine
            self._observers.tell(
                WorkerLost(worker=worker.process.pid, engine=engine, exit_code=code, was_idle=was_idle)
            )
        if not self._is_closing:
            self._perform(actions)

    def _ran_too_long(self, job: Job) -> None:
        seconds = job.function.limits.timeout_s
        self._kill(job, Reason.TIMEOUT, f"ran longer than {seconds:g} s", "limits.timeout")

    def _idled_too_long(self, job: Job) -> None:
        seconds = job.function.limits.idle_timeout_s
        self._kill(job, Reason.TIMEOUT, f"no chunk came or went for {seconds:g} s", "limits.idle_timeout")

    def _gave_nothing(self, job: Job) -> None:
        seconds = job.function.limits.idle_timeout_s
        self._kill(job, Reason.TIMEOUT, f"gave no result within {seconds:g} s", "limits.idle_timeout")

    def _loaded_too_long(self, worker_id: int) -> None:
        index = self._loading.current(worker_id)
        if index is not None:
            reason = f"its worker took longer than {_LOAD_S:g} s to load it"
            self._loading.blame_delay(index, reason, self._loop.time())
            self._workers[worker_id].process.kill()

    def _blame_death(self, index: int, kind: WorkerKind, pid: int, code: int) -> None:
        now_s = self._loop.time()
        if not self._loading.blocked(index, now_s):
            reason = f"its worker died while loading it ({exit_text(code)})"
            self._loading.blame_death(index, reason, now_s)
        text = (
            "function '%s': worker %d ended with %s while loading it; %s "
            "(it may take %d MiB, which WASM_GRPC_WORKER_BYTES raises)"
        )
        blocked = self._loading.blocked(index, now_s)
        then = f"its calls are refused for {BLOCKED_S:g} s ({blocked})" if blocked else "tried once more"
        room = self._worker_bytes[kind] // MIB
        _log.error(text, self._names[index], pid, exit_text(code), then, room)

    def _waited_too_long(self, job: Job) -> None:
        if not job.result.done() and self._schedule.withdraw(job.ticket):
            seconds = job.function.limits.queue_wait_s
            message = f"waited longer than {seconds:g} s for a free worker"
            self._refuse(job, Reason.QUEUE_WAIT, message, "limits.queue_wait")

    def _refuse(self, job: Job, reason: Reason, message: str, limit: str = "") -> None:
        """
        End an invocation that has been withdrawn from the schedule.
        """
        self._jobs.pop(job.ticket, None)
        job.disarm()
        if not job.result.done():
            name = job.function.name
            job.result.set_exception(
                InvocationError(reason, f"function '{name}': {message}", function=name, limit=limit)
            )
            self._tell_finished(job, Outcome(reason=reason, message=message, limit=limit))
        if job.stream is not None:
            job.stream.ended()

    def _abandon(self, job: Job) -> None:
        """
        The caller has its outcome, or is gone: then a waiting ticket is withdrawn, a running guest killed.
        """
        if job.ticket not in self._jobs:
            return
        if self._schedule.withdraw(job.ticket):
            del self._jobs[job.ticket]
            job.disarm()
            self._tell_finished(job, Outcome(reason=Reason.CANCELLED, message="the caller is gone"))
        else:
            self._kill(job, Reason.CANCELLED, "the caller is gone")

    def _kill(self, job: Job, reason: Reason, message: str, limit: str = "") -> None:
        if job.ended_by is None and (worker := self._workers.get(job.worker)) is not None:
            job.ended_by = Outcome(reason=reason, message=message, limit=limit)
            worker.process.kill()

    def _tick(self) -> None:
        self._tick_handle = self._loop.call_later(_TICK_S, self._tick)
        now_s = self._loop.time()
        self._perform(self._schedule.tick(now_s))
        for worker_id, worker in self._workers.items():
            job = self._running.get(worker_id)
            if job is not None and not job.is_loading and now_s - job.sent_s > _BEGIN_S:
                self._check_begun(job, worker)
            resident = resident_bytes(worker.process.pid)
            if resident <= self._worker_bytes[self._kinds[worker_id]]:
                continue
            if job is None:
                _log.warning(
                    "idle worker %d holds %d MiB and is replaced", worker.process.pid, resident // MIB
                )
                worker.process.kill()
            else:
                self._kill(job, Reason.WORKER_MEMORY, f"its worker grew to {resident // MIB} MiB")

    def _check_begun(self, job: Job, worker: Session) -> None:
        """
        Kill a worker that was idle and has not begun the invocation: another worker takes it.

        Nothing of a guest's runs between two invocations, so this is a worker that does not keep the rules.
        """
        if job.ended_by is None and not worker.has_begun():
            _log.warning(
                "worker %d did not begin an invocation within %g s and is replaced",
                worker.process.pid,
                _BEGIN_S,
            )
            worker.process.kill()


@contextlib.asynccontextmanager
async def open_pool(
    functions: Sequence[PoolFunction], settings: Settings, observers: Observers | None = None
) -> AsyncIterator[Pool]:
    """
    Start the workers and, at the end, kill and reap every one of them.

    Gives the pool once its workers take work.

    Raises:
        EngineUnavailableError, WorkerStartError: None came up.
    """
    pool = Pool(functions, settings, observers or Observers())
    try:
        await pool.start()
        yield pool
    finally:
        await asyncio.shield(pool.aclose())


def _schedule_policy(function: PoolFunction) -> FunctionPolicy:
    return FunctionPolicy(kind=function.kind, max=function.policy.max, queue=function.policy.queue)


def _crash(function: WorkerFunction, code: int) -> Outcome:
    if code == -signal.SIGPROF and function.limits.cpu_s is not None:
        message = f"used more than {function.limits.cpu_s:g} s of CPU time"
        return Outcome(reason=Reason.CPU_LIMIT, message=message, limit="limits.cpu")
    return Outcome(reason=Reason.CRASHED, message=f"its worker died while running it ({exit_text(code)})")
