"""
The run slot of one running guest: lent while the guest waits, and taken back before it goes on.

Theory of operation. A guest that waits for somebody else, its stream's caller or Dapr, computes nothing, so
its run slot should serve others meanwhile. It keeps its process and everything in it; it must only not be
woken before it has a slot again. Whoever would wake it calls `reclaim` first and goes on in `on_held`.

=========  ================  =========
state      event             next
=========  ================  =========
(none)     `take`            HELD
HELD       `lend`            LENT
LENT       `reclaim`         ASKED
ASKED      `granted`         HELD
=========  ================  =========

Every other event changes nothing: `lend` where the slot is lent already, `reclaim` where it is held.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Protocol

__all__ = ["Lease", "Slots"]


class Slots(Protocol):
    """
    Where run slots come from: the schedule, as the pool hands it on.
    """

    def lend(self, worker: int) -> None:
        """
        Let others have the run slot of this worker.
        """
        ...

    def reclaim(self, worker: int) -> None:
        """
        Ask for the worker's run slot; `Lease.granted` follows, perhaps before this returns.
        """
        ...


class _State(enum.Enum):
    NONE = enum.auto()
    HELD = enum.auto()
    LENT = enum.auto()
    ASKED = enum.auto()


class Lease:
    """
    The run slot of one invocation.
    """

    __slots__ = ("_on_held", "_slots", "_state", "_worker")

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self._worker = 0
        self._state = _State.NONE
        self._on_held: Callable[[], None] | None = None

    @property
    def is_held(self) -> bool:
        """
        Whether the guest may compute.
        """
        return self._state is _State.HELD

    def on_held(self, receiver: Callable[[], None]) -> None:
        """
        Call back each time a lent slot has come back.
        """
        self._on_held = receiver

    def take(self, worker: int) -> None:
        """
        Start with the slot that the invocation's new worker has been given.
        """
        self._worker = worker
        self._state = _State.HELD

    def lend(self) -> None:
        """
        Let others have the slot, since the guest waits.
        """
        if self._state is _State.HELD:
            self._state = _State.LENT
            self._slots.lend(self._worker)

    def reclaim(self) -> None:
        """
        Ask for the slot, since what the guest waited for is here.
        """
        if self._state is _State.LENT:
            self._state = _State.ASKED
            self._slots.reclaim(self._worker)

    def granted(self) -> None:
        """
        Note that the schedule has given the slot back.
        """
        self._state = _State.HELD
        if self._on_held is not None:
            self._on_held()
