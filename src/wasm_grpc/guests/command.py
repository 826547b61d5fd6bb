"""
The guest interface ``wasi-command``: body on standard input, result on standard output.

The module may import WASI and all other host modules. Exit code 0 means success, 65 rejects the input,
and any other code is a failure.
"""

from __future__ import annotations

from collections.abc import Sequence
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
from wasm_grpc.guests.binding import bind, finish
from wasm_grpc.guests.checks import check_function_export, check_imports, check_memory_export
from wasm_grpc.guests.endings import GuestEnd, conclude, without_frames
from wasm_grpc.guests.instance import GuestInstance
from wasm_grpc.guests.interfaces import START, find_bindgen_guest, find_reactor, find_wapc_guest
from wasm_grpc.guests.protocol import Ending, GuestCall
from wasm_grpc.guests.toolchains import foreign_build
from wasm_grpc.hosts import registry

__all__ = ["Command", "ReadyCommand"]

_START_TYPE: Final = FuncType(())


class Command:
    """
    A `Guest`: a WASI preview 1 command.
    """

    __slots__ = ()

    @property
    def hosts(self) -> HostModules:
        """
        See `Guest.hosts`.
        """
        return registry.FUNCTIONS

    def check(self, module: Module) -> Sequence[str]:
        """
        See `Guest.check`.
        """
        problems = list(check_imports(module, self.hosts))
        problems += check_function_export(module, START, _START_TYPE)
        problems += check_memory_export(module)
        if not problems:
            return []
        # One line about the wrong build says more than many about single imports.
        foreign = (
            find_wapc_guest(module)
            or find_bindgen_guest(module)
            or foreign_build(module)
            or find_reactor(module)
        )
        return problems if foreign is None else [foreign]

    def ready(
        self,
        prepared: Prepared,
        limits: Limits,
        *,
        max_invocations: int = 1,  # noqa: ARG002 - protocol
    ) -> ReadyCommand:
        """
        See `Guest.ready`. A command ends with its invocation, so its instances are always fresh.
        """
        return ReadyCommand(prepared, memory_bytes=limits.memory_bytes)


class ReadyCommand(GuestInstance):
    """
    A `ReadyGuest`: an instance in which no code has run yet, neither its start function nor ``_start``.
    """

    __slots__ = ()

    def run(self, call: GuestCall) -> Ending:
        """
        See `ReadyGuest.run`.
        """
        memory_bytes = 0
        self._is_spent = True
        end = self._end
        if self._instance is not None:
            bind(self._context, call)
            end = finish(_call_start(self._instance), self._context, call)
            memory_bytes = self._instance.memory_bytes()
        return conclude(end, call, memory_bytes=memory_bytes)


def _call_start(instance: Instance) -> GuestEnd | None:
    try:
        instance.start()
        instance.call(START)
    except (GuestExit, GuestStop, GuestTrap) as end:
        return without_frames(end)
    return None
