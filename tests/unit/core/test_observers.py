"""Observers: who is told of what."""

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
    """An observer that keeps what it is told."""

    def __init__(self, *wants: type[Event]) -> None:
        self.wants = frozenset(wants)
        self.events: list[Event] = []

    def observe(self, event: Event) -> None:
        """See `Observer.observe`."""
        self.events.append(event)


class Broken(Notebook):
    """An observer that fails."""

    def observe(self, event: Event) -> None:
        """See `Observer.observe`."""
        raise RuntimeError("no")


def test_each_is_told_of_what_it_wants() -> None:
    """Nobody is told of anything else, and what nobody wants need not be made."""
    first, second = Notebook(InvocationReceived), Notebook(InvocationReceived, OutputSent)
    observers = Observers([first, second])

    observers.tell(RECEIVED)
    observers.tell(SENT)

    assert (first.events, second.events) == ([RECEIVED], [RECEIVED, SENT])
    assert InvocationReceived in observers
    assert InvocationStarted not in observers
    assert OutputSent not in Observers()


def test_one_that_fails_fails_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and the others are told."""
    notebook = Notebook(OutputSent)

    Observers([Broken(OutputSent), notebook]).tell(SENT)

    assert notebook.events == [SENT]
    assert caplog.messages == ["observer Broken failed on OutputSent"]
