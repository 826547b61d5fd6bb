"""
One invocation in the pool, from its ticket to its outcome.

Theory of operation. The pool makes a `Run` for each invocation, the schedule says when it is assigned to a
worker, and the worker's messages come to it until it has an outcome. It owns every timer of the invocation.
A worker may be sent a batch of runs. It runs them in order, so each run gets its turn when the one before it
has ended.

========  =============  =======================================================  =======
state     event          meaning                                                  next
========  =============  =======================================================  =======
WAITING   `assign`       a worker was sent it                                     SENT
SENT      `take_turn`    it is first on its worker; the guest's time runs now     RUNNING
SENT      `take_turn`    it is first, but the worker has to load the function     LOADING
LOADING   `loaded`       the worker has loaded it; the guest's time runs now      RUNNING
SENT      `worker_died`  it was not its turn: another worker takes it             WAITING
LOADING,  `worker_died`  the guest had not begun: another worker takes it         WAITING
RUNNING
LOADING,  `worker_died`  the guest had begun, or was tried too often              ENDED
RUNNING
SENT,     `worker_died`  it was killed                                            ENDED
LOADING,
RUNNING
SENT,     `end`          the worker sent its RESULT                               ENDED
RUNNING
WAITING   `end`          no worker loads its function for now                     ENDED
WAITING   `refuse`       it waited too long, or the server stops                  ENDED
WAITING   `withdraw`     its caller is gone                                       ENDED
========  =============  =======================================================  =======

`kill` leaves the state as it is: it ends the worker, and the outcome it names is the invocation's once the
process has been reaped. Until then nobody else may use that worker. A worker may still have answered before
it was killed: then that answer is the outcome.
"""

from __future__ import annotations

import asyncio
import enum
import signal
from collections.abc import Callable

from wasm_grpc.core import wire
from wasm_grpc.core.errors import InvocationError
from wasm_grpc.core.model import Invocation, Outcome, Reason, WorkerFunction
from wasm_grpc.core.observers import InvocationFinished, InvocationQueued, InvocationStarted, Observers
from wasm_grpc.pool.dapr_calls import DaprApi, DaprCalls
from wasm_grpc.pool.lease import Lease, Slots
from wasm_grpc.pool.process import exit_text
from wasm_grpc.pool.session import Session
from wasm_grpc.pool.stream import Stream

__all__ = ["Run", "State", "not_loadable"]

_BEGIN_S = 2.0
"""The longest that an idle worker may take to begin an invocation; it takes well under 1 ms."""
_TRIES = 3
"""Workers that may die before they begin an invocation; then it fails."""


class State(enum.Enum):
    """
    Where an invocation is on its way; see the table above.
    """

    WAITING = enum.auto()
    SENT = enum.auto()
    LOADING = enum.auto()
    RUNNING = enum.auto()
    ENDED = enum.auto()


class Run:
    """
    One invocation in the pool. Used on the event loop's thread only.

    Attributes:
        ticket: Its number in the schedule, which the runs of a batch share.
        depth: See `Origin.depth`.
        index: The function's number in the messages to a worker.
        function: What is run.
        result: Its outcome, or the `InvocationError` that says why it was not run.
        lease: Its run slot.
        stream: Its input and output, where they are streamed.
        occupied_s: How long it occupied its worker, in seconds; 0 if no worker ran it.
    """

    __slots__ = (
        "_api",
        "_calls",
        "_invocation",
        "_killed",
        "_loop",
        "_number",
        "_observers",
        "_session",
        "_state",
        "_taken_s",
        "_timer",
        "_tries",
        "_turn_s",
        "depth",
        "function",
        "index",
        "lease",
        "occupied_s",
        "result",
        "stream",
        "ticket",
    )

    def __init__(
        self,
        ticket: int,
        index: int,
        function: WorkerFunction,
        invocation: Invocation,
        *,
        slots: Slots,
        observers: Observers,
        api: DaprApi | None = None,
    ) -> None:
        self.ticket = ticket
        self.depth = invocation.origin.depth
        self.index = index
        self.function = function
        self._invocation = invocation
        self._observers = observers
        self._api = api
        self._calls: DaprCalls | None = None
        self._loop = asyncio.get_running_loop()
        self._taken_s = self._loop.time()
        self._state = State.WAITING
        self._session: Session | None = None
        self._number = 0
        self._tries = 0
        self._turn_s = 0.0
        self._killed: Outcome | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.result: asyncio.Future[Outcome] = self._loop.create_future()
        self.lease = Lease(slots)
        self.stream: Stream | None = None
        self.occupied_s = 0.0

    @property
    def state(self) -> State:
        """
        Where it is on its way.
        """
        return self._state

    @property
    def is_killed(self) -> bool:
        """
        Whether `kill` has ended its worker.
        """
        return self._killed is not None

    @property
    def waits_for_dapr(self) -> bool:
        """
        Whether its guest has called Dapr and waits for the answer.
        """
        return self._calls is not None and self._calls.is_waiting

    def open_stream(self) -> Stream:
        """
        Stream its input and output; call this before it is assigned.
        """
        self.stream = Stream(self.result, self.function.limits, self.lease, stop=self.kill)
        self.lease.on_held(self._resumed)
        return self.stream

    def queued(self) -> None:
        """
        Tell the observers that the pool has taken it.
        """
        if InvocationQueued in self._observers:
            self._observers.tell(
                InvocationQueued(invocation_id=self._invocation.id, function=self.function.name)
            )

    def wait(self, on_late: Callable[[Run], None]) -> None:
        """
        Wait for a worker; call `on_late` when it has waited as long as the function allows.
        """
        self._arm(self.function.limits.queue_wait_s, lambda: on_late(self))

    def assign(self, worker: int, session: Session, number: int) -> wire.Invoke:
        """
        Assign it to a worker, and return the message that the caller sends there; `take_turn` follows.

        Args:
            worker: The worker's number in the schedule.
            session: The worker.
            number: How many invocations the worker has been sent, with this one.
        """
        self._session = session
        self._number = number
        self._state = State.SENT
        self.lease.take(worker)
        if self.stream is not None:
            self.stream.attach(session.connection)
        self._disarm()
        return wire.Invoke(
            self.index,
            wire.encode_env(self._invocation.env),
            self._invocation.body,
            streams=self.stream is not None,
            operation=self._invocation.operation.encode("utf-8", "surrogateescape"),
        )

    def take_turn(self, *, is_loaded: bool = True) -> None:
        """
        Note that its worker has answered every invocation before it.

        Args:
            is_loaded: The worker has loaded the function. Otherwise it was sent LOAD just now, and `loaded`
                follows; the caller limits how long that may take.
        """
        self._tries += 1
        self._turn_s = self._loop.time()
        if self._session is not None and InvocationStarted in self._observers:
            self._observers.tell(
                InvocationStarted(
                    invocation_id=self._invocation.id,
                    function=self.function.name,
                    worker=self._session.process.pid,
                )
            )
        if is_loaded:
            self._start()
        else:
            self._state = State.LOADING

    def loaded(self, *, is_loaded: bool) -> None:
        """
        Note that its worker has loaded the function, and starts the guest, or that it can't load it.
        """
        if self._state is not State.LOADING:
            return
        if is_loaded:
            self._start()
        else:
            # No guest starts: the worker answers with its error at once.
            self._state = State.RUNNING

    def receive(self, message: wire.Message) -> None:
        """
        Take a message of its worker, RESULT aside; see `end`.

        Raises:
            ProtocolError: The worker may not send this message now.
        """
        stream = self.stream
        if self.waits_for_dapr:
            raise wire.out_of_place(message, "none before DAPR_ANSWER")
        if not self.has_begun():
            raise wire.out_of_place(message, "RESULT, once its guest has begun")
        if isinstance(message, wire.DaprCall) and self.function.grants.dapr.is_granted:
            self._call_dapr(message)
        elif isinstance(message, wire.Output) and stream is not None:
            stream.written(bytes(message.chunk))
        elif isinstance(message, wire.Read) and stream is not None:
            stream.wanted(message.taken)
        elif isinstance(message, wire.Resume) and stream is not None:
            stream.waits_no_longer()
        else:
            raise wire.out_of_place(message, "RESULT")

    def end(self, outcome: Outcome) -> None:
        """
        Set its outcome, and end it.
        """
        if not self.result.done():
            self.result.set_result(outcome)
        self._ended(outcome)

    def refuse(self, reason: Reason, message: str, limit: str = "") -> None:
        """
        End it without a worker; the schedule has forgotten its ticket.
        """
        name = self.function.name
        if not self.result.done():
            self.result.set_exception(
                InvocationError(reason, f"function '{name}': {message}", function=name, limit=limit)
            )
        self._ended(Outcome(reason=reason, message=message, limit=limit))

    def withdraw(self) -> None:
        """
        End it without a worker and without an answer: its caller is gone.
        """
        self._ended(_CALLER_IS_GONE)

    def abandon(self) -> None:
        """
        Kill it because its caller is gone.
        """
        self._kill(_CALLER_IS_GONE)

    def kill(self, reason: Reason, message: str, limit: str = "") -> None:
        """
        End its worker, if it has one; the first call names the outcome.
        """
        self._kill(Outcome(reason=reason, message=message, limit=limit))

    def worker_died(self, code: int, *, blocked: str) -> bool:
        """
        Return whether another worker may take it; otherwise it has its outcome now.

        A worker that died before the guest began has done nothing yet, so the call has not failed.

        Args:
            code: The worker's exit code, minus the signal if it was killed.
            blocked: Why no worker loads the function for now; "" where one may.
        """
        if self._state is State.SENT or self._killed is not None:
            return self.passed_over()
        if self._state is State.LOADING and blocked:
            self.end(not_loadable(blocked))
        elif self.has_begun() or self._tries >= _TRIES:
            self.end(_crash(self.function, code))
        else:
            return self.passed_over()
        return False

    def passed_over(self) -> bool:
        """
        Return whether another worker may take it, since its own ends without running it; a killed one ends.
        """
        if self._killed is not None:
            self.end(self._killed)
            return False
        self._disarm()
        self._session = None
        self._state = State.WAITING
        return True

    def has_begun(self) -> bool:
        """
        Return whether its worker says that it has started the guest, be the worker alive or dead.
        """
        return self._session is not None and self._session.process.begun() >= self._number

    def is_overdue(self, now_s: float) -> bool:
        """
        Return whether its worker should have begun it long ago.

        Nothing of a guest runs between two invocations, so such a worker does not follow the protocol.
        """
        is_late = self._state is State.RUNNING and now_s - self._turn_s > _BEGIN_S
        return is_late and self._killed is None and not self.has_begun()

    def _call_dapr(self, call: wire.DaprCall) -> None:
        if self._calls is None and self._session is not None:
            self._calls = DaprCalls(
                self._api,
                self._invocation,
                self.function,
                connection=self._session.connection,
                lease=self.lease,
                observers=self._observers,
            )
            self.lease.on_held(self._resumed)
        if self._calls is not None:
            limit_s = self.function.limits.dapr_timeout_s
            left_s = self._left_s()
            self._calls.begin(call, timeout_s=left_s if limit_s is None else min(limit_s, left_s))

    def _left_s(self) -> float:
        """
        Return how long the guest may still run; of a stream without such a limit, how long it may idle.
        """
        if self._timer is None:
            return self.function.limits.idle_timeout_s
        return max(0.0, self._timer.when() - self._loop.time())

    def _resumed(self) -> None:
        """
        Go on: the guest has its run slot again.
        """
        if self._calls is not None:
            self._calls.resumed()
        if self.stream is not None:
            self.stream.resumed()

    def _start(self) -> None:
        self._state = State.RUNNING
        limits = self.function.limits
        if self.stream is not None:
            self.stream.start(self._idled_too_long)
        elif limits.timeout_s is None:
            # "unlimited" is meant for streams. A plain call has no other end: daprd passes no deadline on.
            self._arm(limits.idle_timeout_s, self._gave_nothing)
            return
        self._arm(limits.timeout_s, self._ran_too_long)

    def _ended(self, outcome: Outcome) -> None:
        if self._state is State.RUNNING:
            self.occupied_s = self._loop.time() - self._turn_s
        self._state = State.ENDED
        self._disarm()
        if self._calls is not None:
            self._calls.end()
        if self.stream is not None:
            self.stream.ended()
        if InvocationFinished in self._observers:
            self._observers.tell(
                InvocationFinished(
                    invocation_id=self._invocation.id,
                    function=self.function.name,
                    outcome=outcome,
                    duration_s=self._loop.time() - self._taken_s,
                )
            )

    def _kill(self, outcome: Outcome) -> None:
        if self._killed is None and self._session is not None and self._state is not State.ENDED:
            self._killed = outcome
            self._session.process.kill()

    def _ran_too_long(self) -> None:
        seconds = self.function.limits.timeout_s
        self.kill(Reason.TIMEOUT, f"ran longer than {seconds:g} s", "limits.timeout")

    def _idled_too_long(self) -> None:
        seconds = self.function.limits.idle_timeout_s
        self.kill(Reason.TIMEOUT, f"no chunk came or went for {seconds:g} s", "limits.idle_timeout")

    def _gave_nothing(self) -> None:
        seconds = self.function.limits.idle_timeout_s
        self.kill(Reason.TIMEOUT, f"gave no result within {seconds:g} s", "limits.idle_timeout")

    def _arm(self, seconds: float | None, on_late: Callable[[], None]) -> None:
        self._disarm()
        if seconds is not None:
            self._timer = self._loop.call_later(seconds, on_late)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


_CALLER_IS_GONE = Outcome(reason=Reason.CANCELLED, message="the caller is gone")


def not_loadable(reason: str) -> Outcome:
    """
    Return the outcome of an invocation whose function no worker loads for now.
    """
    return Outcome(reason=Reason.UNAVAILABLE, message=f"it can't be loaded: {reason}")


def _crash(function: WorkerFunction, code: int) -> Outcome:
    if code == -signal.SIGPROF and function.limits.cpu_s is not None:
        message = f"used more than {function.limits.cpu_s:g} s of CPU time"
        return Outcome(reason=Reason.CPU_LIMIT, message=message, limit="limits.cpu")
    return Outcome(reason=Reason.CRASHED, message=f"its worker died while running it ({exit_text(code)})")
