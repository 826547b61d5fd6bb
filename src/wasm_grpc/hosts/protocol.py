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

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, ClassVar, Protocol, TypeVar

from wasm_grpc.core.model import Grants, Limits
from wasm_grpc.core.wire import DaprAnswer
from wasm_grpc.engines.protocol import Context, HostModules

__all__ = ["Begin", "Dapr", "HostCall", "HostContext", "HostModule", "HostStates"]

_State = TypeVar("_State")


class Dapr(Protocol):
    """
    The way of one invocation to Dapr.
    """

    def call(self, method: str, request: bytes, *, is_json: bool) -> DaprAnswer:
        """
        Call a method of Dapr's API, and wait for the answer. The server decides whether that is granted.

        Args:
            method: Name of a method of the service ``dapr.proto.runtime.v1.Dapr``.
            request: Its request.
            is_json: Whether the request is JSON (protobuf's JSON mapping), as the response will be.

        Raises:
            GuestStop: The guest has reached ``limits.host_calls``.
        """
        ...


class HostCall(Protocol):
    """
    What a host module may know of an invocation.
    """

    @property
    def dapr(self) -> Dapr | None:
        """
        Its way to Dapr; ``None`` if the function was granted no call.
        """
        ...

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

    def deny(self, line: str) -> None:
        """
        Record that the guest asked for something that it was not granted, and log the line.

        If the guest fails, the first line is the reason (`Reason.DENIED`).
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

    def open(self, grants: Grants, imports: Collection[str] = ()) -> Begin:
        """
        Open what a function was granted, or needs, when the function is loaded.

        Args:
            grants: What it was granted.
            imports: The host modules that it imports from. What it doesn't import need not be opened.

        Raises:
            WasmGrpcError, OSError, MemoryError: The function can't be loaded.
        """
        ...

    def import_libraries(self, *, infers: bool, decodes: bool) -> None:
        """
        Import the libraries that `open` needs.

        Called before this process loses the right to read its own installation.

        Args:
            infers: Functions may be loaded that run models.
            decodes: Functions may be loaded that decode pictures.

        Raises:
            WasmGrpcError, OSError, MemoryError: They are not there, or do not load.
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

    There is no state before `begin`, because an instance may be made before its invocation is known, and none
    after `end`, because the instance may serve another one.
    """

    __slots__ = ("_call", "_states")

    _call: HostCall

    def __init__(self) -> None:
        self._states: dict[type, Any] = {}

    def begin(self, call: HostCall) -> None:
        """
        Begin an invocation, before any code of the guest runs.
        """
        self._call = call

    def end(self) -> None:
        """
        End an invocation, and forget all state of it.
        """
        self._states = {}
        del self._call

    def state_of(self, kind: type[_State]) -> _State:
        """
        Return the state of the host module whose `HostModule.state` this is. The first call makes it.
        """
        if kind not in self._states:
            self._states[kind] = self._call.states[kind](self._call)
        state: _State = self._states[kind]
        return state
