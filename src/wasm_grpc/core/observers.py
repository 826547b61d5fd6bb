"""What happens to invocations and workers, told to whoever observes it: logs, metrics, traces."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from wasm_grpc.core.model import EngineName, Outcome

__all__ = [
    "Event",
    "InvocationFinished",
    "InvocationQueued",
    "InvocationReceived",
    "InvocationStarted",
    "Observer",
    "Observers",
    "OutputSent",
    "WorkerLost",
    "WorkerStarted",
]

_log = logging.getLogger("wasm_grpc.observers")


@dataclass(frozen=True, slots=True, kw_only=True)
class InvocationReceived:
    """
    Somebody called a function.

    Attributes:
        invocation_id: The invocation's.
        function: Its name.
    """

    invocation_id: str
    function: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InvocationQueued:
    """
    The pool took an invocation; where a worker is idle, it starts at once.

    Attributes:
        invocation_id: The invocation's.
        function: Its name.
    """

    invocation_id: str
    function: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InvocationStarted:
    """
    An invocation was sent to a worker. It comes again if that worker was dead before the guest began.

    Attributes:
        invocation_id: The invocation's.
        function: Its name.
        worker: Process id of the worker.
    """

    invocation_id: str
    function: str
    worker: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InvocationFinished:
    """
    An invocation that the pool took has ended, or was refused.

    What its caller is told may still differ: its output may be no response, or its result may get nowhere.

    Attributes:
        invocation_id: The invocation's.
        function: Its name.
        outcome: How it ended.
        duration_s: Seconds since the pool took it.
    """

    invocation_id: str
    function: str
    outcome: Outcome
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputSent:
    """
    A result is where the trigger's ``then`` sends it.

    Attributes:
        invocation_id: The invocation's.
        function: Its name.
    """

    invocation_id: str
    function: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerStarted:
    """
    A worker is up; it may still load functions.

    Attributes:
        worker: Process id of the worker.
        engine: What it runs.
    """

    worker: int
    engine: EngineName


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerLost:
    """
    A worker has ended, while the pool goes on.

    Attributes:
        worker: Process id of the worker.
        engine: What it ran.
        exit_code: Its exit code, minus the signal if it was killed.
        was_idle: It ran no invocation and loaded no function.
    """

    worker: int
    engine: EngineName
    exit_code: int
    was_idle: bool


Event = (
    InvocationReceived
    | InvocationQueued
    | InvocationStarted
    | InvocationFinished
    | OutputSent
    | WorkerStarted
    | WorkerLost
)


class Observer(Protocol):
    """
    What is told of events.
    """

    @property
    def wants(self) -> frozenset[type[Event]]:
        """
        The types of the events that it is told of.
        """
        ...

    def observe(self, event: Event) -> None:
        """
        Take an event. Called on the event loop, so it returns at once.
        """
        ...


class Observers:
    """
    The observers of one server.

    An event that nobody wants is never made: ``if InvocationStarted in observers: observers.tell(…)``.
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
        Tell whoever wants this event. An observer that fails is logged, and fails nothing else.
        """
        for observer in self._by_type.get(type(event), ()):
            try:
                observer.observe(event)
            except Exception:  # noqa: BLE001 - it may be anybody's
                _log.exception("observer %s failed on %s", type(observer).__name__, type(event).__name__)
