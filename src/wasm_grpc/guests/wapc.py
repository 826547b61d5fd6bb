"""
The guest interface ``wapc``: operation and payload in, response or error out.

The module exports ``__guest_call``, which returns 1 for success. It gets its request and hands over its
answer by calling the host. ``_start`` (or ``_initialize``) and ``wapc_init`` prepare it. They run once for
each instance, within its first invocation, and so under the limits of that.

Source: the specification at wapc.io. Where that is silent, this does what wapc-rs and wapc-go agree on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from wasm_grpc.core.model import Limits
from wasm_grpc.engines.binary import Module
from wasm_grpc.engines.protocol import (
    FuncType,
    GuestExit,
    GuestStop,
    GuestTrap,
    HostModules,
    Instance,
    Prepared,
)
from wasm_grpc.guests.binding import finish
from wasm_grpc.guests.checks import check_function_export, check_imports, check_memory_export
from wasm_grpc.guests.endings import GuestEnd, GuestFailure, without_frames
from wasm_grpc.guests.interfaces import GUEST_CALL, INITIALIZE, START, find_bindgen_guest, find_command
from wasm_grpc.guests.protocol import GuestCall
from wasm_grpc.guests.reactor import INITIALISER_TYPE, Reactor, with_error
from wasm_grpc.guests.toolchains import foreign_build
from wasm_grpc.hosts import registry
from wasm_grpc.hosts.wapc.state import WapcState

__all__ = ["ReadyWapc", "Wapc"]

_GUEST_CALL_TYPE: Final = FuncType(("i32", "i32"), ("i32",))
_SUCCESS: Final = 1
_WAPC_INIT: Final = "wapc_init"
_INITIALISERS: Final = (START, INITIALIZE, _WAPC_INIT)


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
                problems += check_function_export(module, name, INITIALISER_TYPE)
        problems += check_memory_export(module)
        if not problems:
            return []
        # One line about the wrong build says more than many about single imports.
        foreign = foreign_build(module) or find_bindgen_guest(module) or find_command(module)
        return problems if foreign is None else [foreign]

    def ready(self, prepared: Prepared, limits: Limits, *, max_invocations: int = 1) -> ReadyWapc:
        """
        See `Guest.ready`.
        """
        return ReadyWapc(prepared, memory_bytes=limits.memory_bytes, max_invocations=max_invocations)


class ReadyWapc(Reactor):
    """
    A `ReadyGuest`: see `Reactor`.
    """

    __slots__ = ()

    def _answer(self, instance: Instance, call: GuestCall, body: bytes) -> tuple[GuestEnd | None, bool]:
        state = self._context.state_of(WapcState)
        try:
            self._initialise(instance)
            state.request(call.operation, body)
            (result,) = instance.call(GUEST_CALL, len(call.operation), len(body))
        except GuestStop as stop:
            return without_frames(stop), False
        except (GuestExit, GuestTrap) as end:
            return with_error(without_frames(end), state.error), False
        # Without a response, an error counts more than the result does: wapc-rs and wapc-go agree on that.
        if result != _SUCCESS or (state.response is None and state.error is not None):
            return GuestFailure(state.error or b""), True
        unsent = finish(None, self._context, call)
        if unsent is None and state.response:
            call.stdout.write(memoryview(state.response))
        return unsent, True

    def _initialisers(self) -> Iterator[str]:
        names = [name for name in _INITIALISERS if self._prepared.function_type(name) is not None]
        if START in names and INITIALIZE in names:
            # A module is a command or a reactor. One that claims to be both is initialised once.
            names.remove(INITIALIZE)
        yield from names
