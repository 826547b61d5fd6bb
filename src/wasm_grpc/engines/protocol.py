"""
What an engine is to the rest of the worker tower: three small protocols and a host function.

Theory of operation. A module is *compiled* once, in a compile process, to an artifact (bytes). A
worker *loads* the artifact together with the host functions it may import, and gets a `Prepared`.
Each `instantiate` returns a fresh `Instance` whose host functions all receive the one `Context`
that it was instantiated with. Everything is used from one thread.

Instantiation runs no code of the guest: the module's start function runs in `Instance.start`. So an
instance can be made before its invocation is known, and whatever a guest can make last falls into
the invocation, which has a clock.

Host functions are plain Python, written once for every engine: ``call(context, *args)``. Integer
arguments arrive as the engine gives them: an i32 may be signed, so a pointer must be masked.
A host function ends the guest by raising: `GuestExit` for ``proc_exit``, `GuestStop` for a limit.
Any other exception is our own bug: it ends that guest as `GuestFault`, never the worker.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from wasm_grpc.core.errors import WasmGrpcError
from wasm_grpc.core.model import Reason

__all__ = [
    "Context",
    "Engine",
    "FuncType",
    "GuestExit",
    "GuestFault",
    "GuestStop",
    "GuestTrap",
    "HostFunction",
    "HostModules",
    "Instance",
    "Prepared",
    "Value",
]

Value = int | float


@dataclass(frozen=True, slots=True)
class FuncType:
    """
    Type of a function: value types are "i32", "i64", "f32", "f64" (others as the specification names them).
    """

    params: tuple[str, ...]
    results: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"({', '.join(self.params)}) -> ({', '.join(self.results)})"


class Context:
    """
    What the host functions of one instance share; `memory` is set by the engine.

    One object, not a closure over the instance: on Wasmer such a closure makes a cycle that the
    collector can't see, and memory grows with every call.

    Attributes:
        memory: Returns a writable view of the exported ``memory``, one byte an item, as it is
            now. A view is stale once the guest runs again: take a new one in each host call.
            Where the module exports no memory the view is empty.
    """

    __slots__ = ("memory",)

    memory: Callable[[], memoryview]


@dataclass(frozen=True, slots=True)
class HostFunction:
    """
    One function that a guest may import.
    """

    type: FuncType
    call: Callable[..., Value | None]


HostModules = Mapping[tuple[str, str], HostFunction]
"""Keyed by (module, name) of the import."""


class GuestExit(BaseException):
    """
    The guest called ``proc_exit``. Not an `Exception`: no host function may swallow it.
    """

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class GuestStop(BaseException):
    """
    A host function ends the guest because a limit is met or a right is missing.
    """

    def __init__(self, reason: Reason, message: str, *, limit: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.limit = limit


class GuestTrap(WasmGrpcError):
    """
    The guest trapped.

    Attributes:
        is_process_tainted: The engine can't be trusted in this process any more: the worker must
            answer and end (Wasmer after a stack overflow, a panic or an unknown trap).
    """

    def __init__(self, message: str, *, is_process_tainted: bool = False) -> None:
        super().__init__(message)
        self.is_process_tainted = is_process_tainted


class GuestFault(GuestTrap):
    """
    A host function of ours failed with an exception; the cause is chained.
    """


class Instance(Protocol):
    """
    A module with its own memory, ready to be called.
    """

    def start(self) -> None:
        """
        Run the module's start function, if it has one; call this once, before any `call`.

        Raises:
            GuestExit, GuestStop, GuestTrap: See `call`.
        """
        ...

    def call(self, export: str, *args: Value) -> Sequence[Value]:
        """
        Call an exported function and return its results.

        Raises:
            GuestExit: The guest ended itself.
            GuestStop: A host function ended it.
            GuestTrap: It trapped.
        """
        ...

    def memory_bytes(self) -> int:
        """
        Size of all its linear memories now, in bytes.
        """
        ...

    def close(self) -> None:
        """
        Free what it holds; may be called twice.
        """
        ...


class Prepared(Protocol):
    """
    A loaded module with its imports bound.
    """

    def instantiate(self, context: Context, *, memory_bytes: int) -> Instance:
        """
        Return a fresh instance bound to `context`; none of the guest's code has run.

        Args:
            context: What its host functions share.
            memory_bytes: The most that its memory may grow to. An engine that doesn't limit instances
                goes by what is written in the code.

        Raises:
            GuestTrap: A data or element segment does not fit, or memory ran out.
        """
        ...


class Engine(Protocol):
    """
    One engine in this process.
    """

    name: str
    version: str
    target: str
    """Of the native code: instruction set, CPU features and every setting that it depends on."""
    limits_instances: bool
    """Whether each instance can have a limit of its own on its memory, whatever the code says."""

    def compile(self, wasm: bytes) -> bytes:
        """
        Compile a core module to native code that `load` takes, in this version on this target.

        Raises:
            UnsupportedModuleError: Valid, but this engine lacks the feature it uses.
            ModuleError: Not a valid module.
        """
        ...

    def load(self, artifact: bytes, hosts: HostModules) -> Prepared:
        """
        Take up the result of `compile`. Its digest must have been checked: wrong bytes can crash.

        Imports that `hosts` has not are an error of the caller: modules are checked beforehand.

        Raises:
            ModuleError: The engine refuses the artifact.
        """
        ...
