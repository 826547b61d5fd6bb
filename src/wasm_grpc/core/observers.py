"""Events of invocations and workers, and the observers that receive them: logs, metrics, traces."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from wasm_grpc.core.model import EngineName, Outcome, Reason
from wasm_grpc.core.wire import DaprStatus

__all__ = [
    "DaprCalled",
    "Event",
    "InvocationAnswered",
    "InvocationFinished",
    "InvocationQueued",
    "InvocationReceived",
    "InvocationStarted",
    "Observer",
    "Observers",
    "OutputSent",
    "RequestRefused",
    "WorkerLost",
    "WorkerStarted",
]

_log = logging.getLogger("wasm_grpc.observers")


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRefused:
    """
    A request was refused before it became an invocation: no `InvocationReceived` was told of it.

    Attributes:
        reason: Why. UNKNOWN_METHOD also stands for a message, binding event or job that no function receives.
    """

    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class InvocationReceived:
    """
    Somebody called a function. One `InvocationAnswered` follows.

    Attributes:
        invocation_id: Id of the invocation.
        function: Name of the function.
    """

    invocation_id: str
    function: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InvocationQueued:
    """
    The pool accepted an invocation. If a worker is idle, it starts at once.

    Attributes:
        invocation_id: Id of the invocation.
        function: Name of the function.
    """

    invocation_id: str
    function: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InvocationStarted:
    """
    A worker was sent an invocation, and has answered every invocation that it was sent before.

    If the worker dies before the guest starts, the event is repeated.

    Attributes:
        invocation_id: Id of the invocation.
        function: Name of the function.
        worker: Process id of the worker.
    """

    invocation_id: str
    function: str
    worker: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InvocationFinished:
    """
    An invocation that the pool had accepted has ended there: it ran, waited too long, or its caller left.

    Its caller may still get another error: the output may not be a valid response, or can't be sent on. That
    is in `InvocationAnswered`, as is an invocation that found no room in the queue.

    Attributes:
        invocation_id: Id of the invocation.
        function: Name of the function.
        outcome: How it ended.
        duration_s: Seconds since the pool got it.
    """

    invocation_id: str
    function: str
    outcome: Outcome
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class InvocationAnswered:
    """
    An invocation has ended, as its caller is told. One follows each `InvocationReceived`.

    If its caller has left, `InvocationFinished` may come later, once the guest has been ended.

    Attributes:
        invocation_id: Id of the invocation.
        function: Name of the function.
        reason: How it ended, `then` included; of a stream, how it ended after its last chunk.
        duration_s: Seconds since `InvocationReceived`.
    """

    invocation_id: str
    function: str
    reason: Reason
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputSent:
    """
    A result was published as the trigger's ``then`` says.

    Attributes:
        invocation_id: Id of the invocation.
        function: Name of the function.
    """

    invocation_id: str
    function: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DaprCalled:
    """
    A guest's call to Dapr was answered.

    Attributes:
        invocation_id: Id of the guest's invocation.
        function: Name of the function.
        method: The method of Dapr's API, as the worker said it: unless the status is OK, it may be any text.
        status: How the call ended.
        duration_s: Seconds from the call to its answer.
    """

    invocation_id: str
    function: str
    method: str
    status: DaprStatus
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerStarted:
    """
    A worker has started. It may still be loading functions.

    Attributes:
        worker: Process id of the worker.
        engine: Its engine.
    """

    worker: int
    engine: EngineName


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerLost:
    """
    A worker has ended while the pool is open.

    Attributes:
        worker: Process id of the worker.
        engine: Its engine.
        exit_code: Its exit code, or the negative number of the signal that killed it.
        was_idle: Whether it was running no invocation and loading no function.
    """

    worker: int
    engine: EngineName
    exit_code: int
    was_idle: bool


Event = (
    RequestRefused
    | InvocationReceived
    | InvocationQueued
    | InvocationStarted
    | InvocationFinished
    | OutputSent
    | InvocationAnswered
    | DaprCalled
    | WorkerStarted
    | WorkerLost
)


class Observer(Protocol):
    """
    Receives events.
    """

    @property
    def wants(self) -> frozenset[type[Event]]:
        """
        The types of events that it receives.
        """
        ...

    def observe(self, event: Event) -> None:
        """
        Receive an event. This runs on the event loop, so it must not block.
        """
        ...


class Observers:
    """
    The observers of one server.

    Events are on the hot path, so ask before making one: ``if InvocationStarted in observers: …``.
    """

    __slots__ = ("_by_type",)

    def __init__(self, observers: Iterable[Observer] = ()) -> None:
        self._by_type: dict[type[Event], tuple[Observer, ...]] = {}
        for observer in observers:
            for wanted in observer.wants:
                self._by_type[wanted] = (*self._by_type.get(wanted, ()), observer)

    def __contains__(self, event_type: type[Event]) -> bool:
        return event_type in self._by_type

    def tell(self, event: Event) -> None:
        """
        Pass an event to every observer that wants it. If one raises, this is logged, and the others get it.
        """
        for observer in self._by_type.get(type(event), ()):
            try:
                observer.observe(event)
            except Exception:  # noqa: BLE001 - an observer may be anybody's code
                _log.exception("observer %s failed on %s", type(observer).__name__, type(event).__name__)
