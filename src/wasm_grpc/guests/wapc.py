"""
The guest interface ``wapc``: operation and payload in, response or error out.

The module exports ``__guest_call``, which returns 1 for success. It gets its request and hands over its
answer by calling the host. ``_start`` (or ``_initialize``) and ``wapc_init`` prepare it. They run once for
each instance, within its first invocation, and so under the limits of that.

Source: the specification at wapc.io. Where that is silent, this does what wapc-rs and wapc-go agree on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from wasm_grpc.core.model import Limits, Reason
from wasm_grpc.engines.binary import Module
from wasm_grpc.engines.protocol import (
    FuncType,
    GuestExit,
    GuestFault,
    GuestStop,
    GuestTrap,
    HostModules,
    Instance,
    Prepared,
)
from wasm_grpc.guests.binding import bind, finish
from wasm_grpc.guests.checks import check_function_export, check_imports, check_memory_export
from wasm_grpc.guests.endings import EX_DATAERR, GuestEnd, GuestFailure, conclude, without_frames
from wasm_grpc.guests.instance import GuestInstance
from wasm_grpc.guests.interfaces import GUEST_CALL, START, find_command
from wasm_grpc.guests.protocol import Ending, GuestCall
from wasm_grpc.guests.toolchains import foreign_build
from wasm_grpc.hosts import registry
from wasm_grpc.hosts.wapc.state import WapcState
from wasm_grpc.hosts.wasi.streams import BytesStdin, Stdin

__all__ = ["ReadyWapc", "Wapc"]

_GUEST_CALL_TYPE: Final = FuncType(("i32", "i32"), ("i32",))
_SUCCESS: Final = 1
_INITIALIZE: Final = "_initialize"
_WAPC_INIT: Final = "wapc_init"
_INITIALISERS: Final = (START, _INITIALIZE, _WAPC_INIT)
_INITIALISER_TYPE: Final = FuncType(())
_NO_INPUT: Final = BytesStdin(b"")


class Wapc:
    """
    A `Guest`: a waPC guest.
    """

    __slots__ = ()

    @property
    def hosts(self) -> HostModules:
        """
        See `Guest.hosts`.
        """
        return registry.WAPC_FUNCTIONS

    def check(self, module: Module) -> Sequence[str]:
        """
        See `Guest.check`.
        """
        problems = list(check_imports(module, self.hosts))
        problems += check_function_export(module, GUEST_CALL, _GUEST_CALL_TYPE)
        for name in _INITIALISERS:
            if module.export(name) is not None:
                problems += check_function_export(module, name, _INITIALISER_TYPE)
        problems += check_memory_export(module)
        if not problems:
            return []
        # One line about the wrong build says more than many about single imports.
        foreign = foreign_build(module) or find_command(module)
        return problems if foreign is None else [foreign]

    def ready(self, prepared: Prepared, limits: Limits, *, max_invocations: int = 1) -> ReadyWapc:
        """
        See `Guest.ready`.
        """
        return ReadyWapc(prepared, memory_bytes=limits.memory_bytes, max_invocations=max_invocations)


class ReadyWapc(GuestInstance):
    """
    A `ReadyGuest`: an instance between two invocations, or one in which no code has run yet.
    """

    __slots__ = ("_is_initialised", "_left", "_prepared")

    def __init__(self, prepared: Prepared, *, memory_bytes: int, max_invocations: int) -> None:
        super().__init__(prepared, memory_bytes=memory_bytes)
        self._prepared = prepared
        self._left = max_invocations
        self._is_initialised = False

    def run(self, call: GuestCall) -> Ending:
        """
        See `ReadyGuest.run`.
        """
        try:
            payload = _gather(call.stdin, call.limits.body_bytes)
        except GuestStop as stop:
            # No code has run, so the instance serves the next invocation.
            return conclude(without_frames(stop), call, memory_bytes=0)
        memory_bytes = 0
        end = self._end
        instance = self._instance
        self._left -= 1
        has_returned = False
        try:
            if instance is not None:
                # The input is the payload. What the guest prints is its log, as its standard error.
                bind(self._context, call, stdin=_NO_INPUT, stdout=call.stderr)
                end, has_returned = self._answer(instance, call, payload)
                memory_bytes = instance.memory_bytes()
        finally:
            # Also after a bug of ours.
            if instance is not None:
                self._context.end()
            self._is_spent = not (has_returned and self._left)
        return conclude(end, call, memory_bytes=memory_bytes)

    def _answer(self, instance: Instance, call: GuestCall, payload: bytes) -> tuple[GuestEnd | None, bool]:
        """
        Call the guest. Return why it failed, if it did, and whether its code returned.
        """
        state = self._context.state_of(WapcState)
        try:
            if not self._is_initialised:
                self._initialise(instance)
            state.request(call.operation, payload)
            (result,) = instance.call(GUEST_CALL, len(call.operation), len(payload))
        except GuestStop as stop:
            return without_frames(stop), False
        except (GuestExit, GuestTrap) as end:
            return _with_error(without_frames(end), state.error), False
        # Without a response, an error counts more than the result does: wapc-rs and wapc-go agree on that.
        if result != _SUCCESS or (state.response is None and state.error is not None):
            return GuestFailure(state.error or b""), True
        unsent = finish(None, self._context, call)
        if unsent is None and state.response:
            call.stdout.write(memoryview(state.response))
        return unsent, True

    def _initialise(self, instance: Instance) -> None:
        self._is_initialised = True
        instance.start()
        names = [name for name in _INITIALISERS if self._prepared.exports_function(name)]
        if START in names and _INITIALIZE in names:
            # A module is a command or a reactor. One that claims to be both is initialised once.
            names.remove(_INITIALIZE)
        for name in names:
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


def _with_error(end: GuestExit | GuestTrap, error: bytes | None) -> GuestEnd:
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
