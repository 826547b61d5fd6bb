"""The pool: hands invocations to worker processes as the schedule says, and keeps their limits."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import logging
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from wasm_grpc.core.errors import InvocationError, ProtocolError, WasmGrpcError
from wasm_grpc.core.model import MIB, Invocation, Outcome, PoolPolicy, Reason, Runtime, WorkerFunction
from wasm_grpc.core.settings import Settings
from wasm_grpc.core.wire import (
    Frame,
    Kind,
    Pieces,
    encode_env,
    pack_invoke,
    pack_json,
    unpack_json,
    unpack_read,
    unpack_result,
)
from wasm_grpc.pool.job import Job
from wasm_grpc.pool.memory import code_bytes, models_bytes, resident_bytes, result_bytes, worker_bytes
from wasm_grpc.pool.process import WorkerProcess, exit_text
from wasm_grpc.pool.schedule import Action, FunctionPolicy, Resume, Run, Schedule, Start, Stop
from wasm_grpc.pool.stream import Stream

__all__ = ["Pool", "PoolFunction", "open_pool"]

_log = logging.getLogger("wasm_grpc.pool")

_TICK_S = 1.0
_LOAD_S = 10.0
"""The longest that a worker may take to take up a function: a 20 MB artifact some 50 ms, a model 0.2 s."""
_TRIES = 3
"""Workers that an invocation may find dead before it is begun."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolFunction:
    """
    A function as the pool serves it.
    """

    function: WorkerFunction
    runtime: Runtime
    policy: PoolPolicy
    code_bytes: int = 0
    """Size of its artifact."""


class Pool:
    """
    The workers of one server. Used on the event loop's thread only; made by `open_pool`.
    """

    def __init__(self, functions: Sequence[PoolFunction], settings: Settings) -> None:
        self._functions = {f.function.name: f for f in functions}
        self._indexes = {name: index for index, name in enumerate(self._functions)}
        self._loads = [_pack_load(index, f.function) for index, f in enumerate(functions)]
        self._settings = settings
        self._schedule = Schedule(
            {name: _schedule_policy(f) for name, f in self._functions.items()},
            slots=settings.workers,
            max_workers=settings.max_workers,
        )
        limits = [each.function.limits for each in functions]
        files_bytes = sum(mount.size_bytes for each in functions for mount in each.function.mounts)
        self._worker_bytes = worker_bytes(
            limits,
            settings,
            files_bytes=files_bytes,
            models_bytes=models_bytes(each.function.inference for each in functions),
            code_bytes=code_bytes(
                (each.runtime.engine, each.function.digest, each.code_bytes) for each in functions
            ),
        )
        self._body_limit = result_bytes(limits)
        self._tickets = itertools.count(1)
        self._jobs: dict[int, Job] = {}
        self._running: dict[int, Job] = {}
        self._workers: dict[int, WorkerProcess] = {}
        self._taken_up: dict[int, set[int]] = {}
        self._loading: dict[int, set[int]] = {}
        self._starts: set[asyncio.Task[None]] = set()
        self._is_closing = False
        self._loop = asyncio.get_running_loop()
        self._tick_handle: asyncio.TimerHandle | None = None
        self._start_error: WasmGrpcError | None = None
        self._all_up = asyncio.Event()

    def __repr__(self) -> str:
        return f"<Pool {self._schedule!r}>"

    def room(self, function: str) -> int:
        """
        Give how many invocations of a function run at once, and as many that follow them if they may wait.
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
            # One that is late is no reason not to serve.
            await asyncio.wait_for(self._all_up.wait(), _LOAD_S)

    async def aclose(self) -> None:
        """
        Kill and reap every worker.
        """
        self._is_closing = True
        if self._tick_handle is not None:
            self._tick_handle.cancel()
        for start in self._starts:
            start.cancel()
        await asyncio.gather(*self._starts, return_exceptions=True)
        await asyncio.gather(*(worker.end() for worker in self._workers.values()))

    def _new_job(self, invocation: Invocation) -> Job:
        return Job(
            ticket=next(self._tickets),
            index=self._indexes[invocation.function],
            function=self._functions[invocation.function].function,
            invocation=invocation,
            result=self._loop.create_future(),
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
                start = self._loop.create_task(self._start(action.worker, action.runtime))
                self._starts.add(start)
                start.add_done_callback(self._starts.discard)
            elif isinstance(action, Resume):
                self._resume(action.worker)
            elif isinstance(action, Stop):
                self._workers[action.worker].retire()

    async def _start(self, worker_id: int, runtime: Runtime) -> None:
        try:
            worker = await WorkerProcess.start(
                runtime, memory_bytes=self._worker_bytes, body_limit=self._body_limit
            )
        except WasmGrpcError as exc:
            self._start_error = exc
            _log.error("a worker did not start: %s", exc)
            self._perform(self._schedule.worker_lost(worker_id, self._loop.time()))
            return
        self._workers[worker_id] = worker
        worker.connection.on_frame(lambda frame: self._receive(worker_id, frame))
        worker.on_exit(lambda code: self._exited(worker_id, code))
        self._taken_up[worker_id] = set()
        self._loading[worker_id] = set()
        for name, function in self._functions.items():
            if function.runtime == runtime and function.policy.min:
                self._load(worker_id, self._indexes[name])
        self._settle(worker_id)

    def _load(self, worker_id: int, index: int) -> None:
        worker = self._workers[worker_id]
        worker.connection.send(self._loads[index])
        self._taken_up[worker_id].add(index)
        if worker_id in self._loading:
            self._loading[worker_id].add(index)

    def _settle(self, worker_id: int) -> None:
        """
        A worker takes work once it has taken up all that is loaded ahead: a guest's time runs from its start.
        """
        if not self._loading[worker_id]:
            del self._loading[worker_id]
            self._perform(self._schedule.worker_ready(worker_id, self._loop.time()))

    def _run(self, ticket: int, worker_id: int) -> None:
        job = self._jobs[ticket]
        worker = self._workers[worker_id]
        job.worker = worker_id
        job.tries += 1
        self._running[worker_id] = job
        invocation = job.invocation
        job.is_loading = job.index not in self._taken_up[worker_id]
        if job.is_loading:
            self._load(worker_id, job.index)
            # Until it is LOADED the guest has not started, so its own time does not run yet.
            job.arm(_LOAD_S, self._loaded_too_long)
        else:
            self._started(job)
        if job.stream is not None:
            job.stream.attach(worker.connection)
        worker.send_invocation(
            pack_invoke(
                job.index, encode_env(invocation.env), invocation.body, streams=job.stream is not None
            )
        )

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

    def _receive(self, worker_id: int, frame: Frame) -> None:
        job = self._running.get(worker_id)
        if frame.kind is Kind.OUTPUT and job is not None and job.stream is not None:
            job.stream.written(frame.body)
        elif frame.kind is Kind.READ and job is not None and job.stream is not None:
            job.stream.wanted(unpack_read(frame)[1])
        elif frame.kind is Kind.RESULT and job is not None:
            outcome, is_tainted = unpack_result(frame)
            self._finish(worker_id, job, outcome)
            if is_tainted:
                self._workers[worker_id].retire()
            self._perform(self._schedule.finished(worker_id, self._loop.time(), retires=is_tainted))
        elif frame.kind in (Kind.LOADED, Kind.LOAD_FAILED):
            self._loaded(worker_id, job, unpack_json(frame))
        else:
            raise ProtocolError(f"{frame.kind.name} frame where RESULT was expected")

    def _loaded(self, worker_id: int, job: Job | None, head: Mapping[str, object]) -> None:
        index = head.get("index")
        if not isinstance(index, int) or index not in self._taken_up[worker_id]:
            raise ProtocolError("answer to a LOAD that was not sent")
        if "error" in head:
            # The worker says it again to whoever calls the function, and may try again then.
            name = list(self._functions)[index]
            _log.error(
                "function '%s': worker %d can't take it up: %s", name, self._pid(worker_id), head["error"]
            )
            self._taken_up[worker_id].discard(index)
        if worker_id in self._loading:
            self._loading[worker_id].discard(index)
            self._settle(worker_id)
        elif job is not None and index == job.index and job.is_loading:
            # Once: a worker can't buy its guest time by saying it again.
            job.is_loading = False
            if "error" not in head:
                self._started(job)

    def _pid(self, worker_id: int) -> int:
        return self._workers[worker_id].pid

    def _finish(self, worker_id: int, job: Job, outcome: Outcome) -> None:
        del self._running[worker_id]
        job.disarm()
        self._jobs.pop(job.ticket, None)
        if not job.result.done():
            job.result.set_result(outcome)
        if job.stream is not None:
            job.stream.ended()

    def _exited(self, worker_id: int, code: int) -> None:
        worker = self._workers.pop(worker_id)
        self._loading.pop(worker_id, None)
        self._taken_up.pop(worker_id)
        job = self._running.get(worker_id)
        actions = self._schedule.worker_lost(worker_id, self._loop.time())
        if job is not None:
            # Dead before it took the job is no failure of the call, unless taking it up is what kills.
            if job.ended_by is None and not worker.has_begun() and job.tries < _TRIES:
                del self._running[worker_id]
                job.worker = 0
                job.arm(job.function.limits.queue_wait_s, self._waited_too_long)
                actions += self._schedule.run_again(
                    job.ticket, job.function.name, self._loop.time(), is_stream=job.stream is not None
                )
            else:
                self._finish(worker_id, job, job.ended_by or _crash(job.function, code))
        elif code and not self._is_closing:
            _log.warning("idle worker %d ended with %s", worker.pid, exit_text(code))
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

    def _loaded_too_long(self, job: Job) -> None:
        self._kill(job, Reason.UNAVAILABLE, f"its worker took longer than {_LOAD_S:g} s to take it up")

    def _waited_too_long(self, job: Job) -> None:
        if job.result.done() or not self._schedule.withdraw(job.ticket):
            return
        self._jobs.pop(job.ticket, None)
        job.result.set_exception(
            InvocationError(
                Reason.QUEUE_WAIT,
                f"function '{job.function.name}': waited longer than {job.function.limits.queue_wait_s:g} s "
                "for a free worker",
                function=job.function.name,
                limit="limits.queue_wait",
            )
        )
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
        else:
            self._kill(job, Reason.CANCELLED, "the caller is gone")

    def _kill(self, job: Job, reason: Reason, message: str, limit: str = "") -> None:
        if job.ended_by is None and (worker := self._workers.get(job.worker)) is not None:
            job.ended_by = Outcome(reason=reason, message=message, limit=limit)
            worker.kill()

    def _tick(self) -> None:
        self._tick_handle = self._loop.call_later(_TICK_S, self._tick)
        self._perform(self._schedule.tick(self._loop.time()))
        for worker_id, worker in self._workers.items():
            resident = resident_bytes(worker.pid)
            if resident <= self._worker_bytes:
                continue
            job = self._running.get(worker_id)
            if job is None:
                _log.warning("idle worker %d holds %d MiB and is replaced", worker.pid, resident // MIB)
                worker.kill()
            else:
                self._kill(job, Reason.WORKER_MEMORY, f"its worker grew to {resident // MIB} MiB")


@contextlib.asynccontextmanager
async def open_pool(functions: Sequence[PoolFunction], settings: Settings) -> AsyncIterator[Pool]:
    """
    Start the workers and, at the end, kill and reap every one of them.

    Gives the pool once its workers take work.

    Raises:
        EngineUnavailableError, WorkerStartError: None came up.
    """
    pool = Pool(functions, settings)
    try:
        await pool.start()
        yield pool
    finally:
        await asyncio.shield(pool.aclose())


def _pack_load(index: int, function: WorkerFunction) -> Pieces:
    return pack_json(Kind.LOAD, {"index": index, **dataclasses.asdict(function)})


def _schedule_policy(function: PoolFunction) -> FunctionPolicy:
    return FunctionPolicy(runtime=function.runtime, max=function.policy.max, queue=function.policy.queue)


def _crash(function: WorkerFunction, code: int) -> Outcome:
    if code == -signal.SIGPROF and function.limits.cpu_s is not None:
        message = f"used more than {function.limits.cpu_s:g} s of CPU time"
        return Outcome(reason=Reason.CPU_LIMIT, message=message, limit="limits.cpu")
    return Outcome(reason=Reason.CRASHED, message=f"its worker died while running it ({exit_text(code)})")
