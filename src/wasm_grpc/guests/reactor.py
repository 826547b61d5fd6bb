"""What guests that can be called more than once have in common: input, initialisers, warm instances."""

from __future__ import annotations

import abc
from collections.abc import Iterator
from typing import Final

from wasm_grpc.core.model import Reason, ResultKind
from wasm_grpc.engines.protocol import (
    FuncType,
    GuestExit,
    GuestFault,
    GuestStop,
    GuestTrap,
    Instance,
    Prepared,
)
from wasm_grpc.guests.binding import bind
from wasm_grpc.guests.endings import EX_DATAERR, GuestEnd, GuestFailure, conclude, without_frames
from wasm_grpc.guests.instance import GuestInstance
from wasm_grpc.guests.protocol import Ending, GuestCall
from wasm_grpc.hosts.wasi.streams import BytesStdin, Stdin

__all__ = ["INITIALISER_TYPE", "Reactor", "with_error"]

INITIALISER_TYPE: Final = FuncType(())
_NO_INPUT: Final = BytesStdin(b"")


class Reactor(GuestInstance, abc.ABC):
    """
    A `ReadyGuest`: an instance between two invocations, or one in which no code has run yet.

    Attributes:
        _prepared: Its module.
        _left: Number of invocations that it may still serve, besides one that runs.
        _kind: What the result of one that runs is, if the interface tells it.
    """

    __slots__ = ("_is_initialised", "_kind", "_left", "_prepared")

    def __init__(self, prepared: Prepared, *, memory_bytes: int, max_invocations: int) -> None:
        super().__init__(prepared, memory_bytes=memory_bytes)
        self._prepared = prepared
        self._left = max_invocations
        self._is_initialised = False
        self._kind = ResultKind.UNTOLD

    def run(self, call: GuestCall) -> Ending:
        """
        See `ReadyGuest.run`.
        """
        try:
            body = _gather(call.stdin, call.limits.body_bytes)
        except GuestStop as stop:
            # No code has run, so the instance serves the next invocation.
            return conclude(without_frames(stop), call, memory_bytes=0)
        memory_bytes = 0
        end = self._end
        instance = self._instance
        self._left -= 1
        self._kind = ResultKind.UNTOLD
        has_returned = False
        try:
            if instance is not None:
                # The input is an argument. What the guest prints is its log, as its standard error.
                bind(self._context, call, stdin=_NO_INPUT, stdout=call.stderr)
                end, has_returned = self._answer(instance, call, body)
                memory_bytes = instance.memory_bytes()
        finally:
            # Also after a bug of ours.
            if instance is not None:
                self._context.end()
            self._is_spent = not (has_returned and self._left)
        return conclude(end, call, memory_bytes=memory_bytes, kind=self._kind)

    @abc.abstractmethod
    def _answer(self, instance: Instance, call: GuestCall, body: bytes) -> tuple[GuestEnd | None, bool]:
        """
        Call the guest. Return why it failed, if it did, and whether the instance is as good as before.
        """

    @abc.abstractmethod
    def _initialisers(self) -> Iterator[str]:
        """
        Yield the exports that prepare an instance, in the order in which they run.
        """

    def _initialise(self, instance: Instance) -> None:
        """
        Prepare the instance, within its first invocation and so under the limits of that.

        Raises:
            GuestExit, GuestStop, GuestTrap: See `Instance.call`.
        """
        if self._is_initialised:
            return
        self._is_initialised = True
        instance.start()
        for name in self._initialisers():
            instance.call(name)


def _gather(stdin: Stdin, limit_bytes: int) -> bytes:
    """
    Return all of the input.

    Raises:
        GuestStop: It is longer than the limit. The server has checked it already, unless it is streamed.
    """
    pieces: list[bytes | memoryview] = []
    room = limit_bytes
    while piece := stdin.read(room + 1):
        room -= len(piece)
        if room < 0:
            raise GuestStop(
                Reason.BODY_TOO_LARGE,
                f"input of over {limit_bytes} bytes; expected at most {limit_bytes}",
                limit="limits.body",
            )
        pieces.append(piece)
    return b"".join(pieces)


def with_error(end: GuestExit | GuestTrap, error: bytes | None) -> GuestEnd:
    """
    Return the end of a guest that did not return from a call. The error that it has handed over says more.
    """
    if isinstance(end, GuestFault) or (isinstance(end, GuestExit) and end.code == EX_DATAERR):
        return end
    if error is not None:
        return GuestFailure(error, isinstance(end, GuestTrap) and end.is_process_tainted)
    if isinstance(end, GuestExit) and end.code == 0:
        # A command succeeds by that, but here it leaves the call without a result.
        return GuestFailure(b"it exited in the middle of a call (exit code 0)")
    return end
