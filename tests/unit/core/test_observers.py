"""Which observers receive which events."""

from __future__ import annotations

import pytest

from wasm_grpc.core.observers import (
    Event,
    InvocationReceived,
    InvocationStarted,
    Observers,
    OutputSent,
)

RECEIVED = InvocationReceived(invocation_id="1", function="f")
SENT = OutputSent(invocation_id="1", function="f")


class Notebook:
    """An observer that keeps its events."""

    def __init__(self, *wants: type[Event]) -> None:
        self.wants = frozenset(wants)
        self.events: list[Event] = []

    def observe(self, event: Event) -> None:
        """See `Observer.observe`."""
        self.events.append(event)


class Broken(Notebook):
    """An observer that raises."""

    def observe(self, event: Event) -> None:
        """See `Observer.observe`."""
        raise RuntimeError("no")


def test_each_observer_gets_the_events_that_it_wants() -> None:
    """It gets no others, and `in` says whether any observer wants a type of event."""
    first, second = Notebook(InvocationReceived), Notebook(InvocationReceived, OutputSent)
    observers = Observers([first, second])

    observers.tell(RECEIVED)
    observers.tell(SENT)

    assert (first.events, second.events) == ([RECEIVED], [RECEIVED, SENT])
    assert InvocationReceived in observers
    assert InvocationStarted not in observers
    assert OutputSent not in Observers()


def test_an_observer_that_raises_does_not_affect_others(caplog: pytest.LogCaptureFixture) -> None:
    """The exception is logged, and the other observers get the event."""
    notebook = Notebook(OutputSent)

    Observers([Broken(OutputSent), notebook]).tell(SENT)

    assert notebook.events == [SENT]
    assert caplog.messages == ["observer Broken failed on OutputSent"]
