"""
The protocol of host modules: the functions that a guest may import, and the state behind them.

Theory of operation. A host module has three lifetimes. Each process makes one `HostModule`, for what its
functions share. When a function is loaded, `HostModule.open` opens what it was granted, so that an error is
reported then and not to a caller. That returns a `Begin`, which makes the state of one invocation. The state
is made when the guest first calls the module, because most guests call few modules.

The host functions themselves are made once, for all instances. They find their state in the `HostContext`.
WASI is the exception: its state is the context itself (`WasiContext`), because every invocation uses it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Protocol, TypeVar

from wasm_grpc.core.model import Grants, Limits
from wasm_grpc.engines.protocol import Context, HostModules

__all__ = ["Begin", "HostCall", "HostContext", "HostModule", "HostStates"]

_State = TypeVar("_State")


class HostCall(Protocol):
    """
    What a host module may know of an invocation.
    """

    @property
    def limits(self) -> Limits:
        """
        The function's limits.
        """
        ...

    @property
    def states(self) -> HostStates:
        """
        How the function's host modules begin.
        """
        ...

    def log(self, line: str) -> None:
        """
        Write a line from the host to the guest's log.
        """
        ...


Begin = Callable[[HostCall], object]
"""Returns the state of a host module for one invocation. The state must not refer to the instance."""

HostStates = Mapping[type, Begin]
"""How the host modules of one function begin, by the class of their state."""


class HostModule(Protocol):
    """
    A host module in one process. `hosts/registry.py` names them all.

    Attributes:
        functions: Its functions. They get the instance's `HostContext`.
        state: Class of the state that its functions share during one invocation.
    """

    functions: ClassVar[HostModules]
    state: ClassVar[type]

    def open(self, grants: Grants) -> Begin:
        """
        Open what a function was granted, when the function is loaded.

        Raises:
            WasmGrpcError, OSError, MemoryError: The function can't be loaded.
        """
        ...

    def warm_ups(self) -> Sequence[Callable[[], None]]:
        """
        Return what to run in a process that was forked just now, so that its first invocation is not slow.

        Each takes milliseconds at most, and changes nothing that a guest can observe.

        Raises:
            MemoryError: There was not enough memory; raised by what is returned.
        """
        ...


class HostContext(Context):
    """
    An instance's context: the states of its host modules, all of one invocation.

    There is no state before `begin`: an instance may be made before its invocation is known.
    """

    __slots__ = ("_call", "_states")

    _call: HostCall

    def __init__(self) -> None:
        self._states: dict[type, Any] = {}

    def begin(self, call: HostCall) -> None:
        """
        Begin an invocation. Call it once, before any code of the guest runs.
        """
        self._call = call

    def state_of(self, kind: type[_State]) -> _State:
        """
        Return the state of the host module whose `HostModule.state` this is. The first call makes it.
        """
        if kind not in self._states:
            self._states[kind] = self._call.states[kind](self._call)
        state: _State = self._states[kind]
        return state
