"""
The protocol of engines: `Engine`, `Prepared`, `Instance`, and the host functions that guests import.

Theory of operation. A module is *compiled* once, in a compile process, to an artifact (bytes). A
worker *loads* the artifact together with the host functions that it may import, and gets a
`Prepared`. Each `instantiate` returns a fresh `Instance`, and all its host functions receive the one
`Context` that was passed to `instantiate`. Everything is used from one thread.

Instantiation runs no guest code: the module's start function runs in `Instance.start`. So an instance
can be made before its invocation is known, and all guest code runs within the invocation's deadline.

Host functions are plain Python, written once for every engine: ``call(context, *args)``. Integer
arguments are passed as the engine delivers them: an i32 may be signed, so a pointer must be masked.
A host function ends the guest by raising: `GuestExit` for ``proc_exit``, `GuestStop` for a limit.
Any other exception is a bug of ours. It ends the guest as `GuestFault`, but not the worker.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from wasm_grpc.core.errors import WasmGrpcError
from wasm_grpc.core.model import Reason

__all__ = [
    "UNLIMITED_INSTANCES",
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

UNLIMITED_INSTANCES = 1 << 31
"""For an engine that has no limit but memory."""

Value = int | float


@dataclass(frozen=True, slots=True)
class FuncType:
    """
    Type of a function. Value types are "i32", "i64", "f32", "f64", or other names of the specification.
    """

    params: tuple[str, ...]
    results: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"({', '.join(self.params)}) -> ({', '.join(self.results)})"


class Context:
    """
    The state that the host functions of one instance share. The engine sets `memory`.

    An object of its own, since a closure over the instance would make a cycle on Wasmer that the garbage
    collector can't see, and memory would grow with every call.

    Attributes:
        memory: Returns a writable view of the exported ``memory`` with items of one byte. A view is
            stale once the guest runs again, so take a new one in each host call. The view is
            empty if the module exports no memory.
    """

    __slots__ = ("memory",)

    memory: Callable[[], memoryview]


@dataclass(frozen=True, slots=True)
class HostFunction:
    """
    A function that a guest may import.
    """

    type: FuncType
    call: Callable[..., Value | None]


HostModules = Mapping[tuple[str, str], HostFunction]
"""Host functions by (module, name) of the import."""


class GuestExit(BaseException):
    """
    The guest called ``proc_exit``. Not an `Exception`, so that no host function catches it by accident.
    """

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class GuestStop(BaseException):
    """
    A host function ends the guest because it reached a limit or lacks a right.
    """

    def __init__(self, reason: Reason, message: str, *, limit: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.limit = limit


class GuestTrap(WasmGrpcError):
    """
    The guest trapped.

    Attributes:
        is_process_tainted: The engine can no longer be trusted in this process. The worker must answer
            and then exit (Wasmer after a stack overflow, a panic or an unknown trap).
    """

    def __init__(self, message: str, *, is_process_tainted: bool = False) -> None:
        super().__init__(message)
        self.is_process_tainted = is_process_tainted


class GuestFault(GuestTrap):
    """
    A host function failed with an unexpected exception, which is chained as the cause.
    """


class Instance(Protocol):
    """
    A module with its own memory, ready to be called.
    """

    def start(self) -> None:
        """
        Run the module's start function, if it has one. Call this once, before any `call`.

        Raises:
            GuestExit, GuestStop, GuestTrap: See `call`.
        """
        ...

    def call(self, export: str, *args: Value) -> Sequence[Value]:
        """
        Call an exported function and return its results.

        Raises:
            GuestExit: The guest called ``proc_exit``.
            GuestStop: A host function ended the guest.
            GuestTrap: The guest trapped.
        """
        ...

    def memory_bytes(self) -> int:
        """
        Return the current size of all its linear memories, in bytes.
        """
        ...

    def close(self) -> None:
        """
        Free its resources. May be called twice.
        """
        ...


class Prepared(Protocol):
    """
    A loaded module with its imports bound.
    """

    def function_type(self, name: str) -> FuncType | None:
        """
        Return the type of an exported function that `Instance.call` can call; ``None`` if there is none.
        """
        ...

    def instantiate(self, context: Context, *, memory_bytes: int) -> Instance:
        """
        Return a fresh instance bound to `context`. No guest code has run yet.

        Args:
            context: The state that its host functions share.
            memory_bytes: Limit on its memory. An engine that can't limit instances ignores it, and the
                limit in the compiled code applies.

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
    """Target of the native code: instruction set, CPU features and every setting that it depends on."""
    limits_instances: bool
    """Whether each instance can have its own memory limit, besides the one in the compiled code."""
    instances: int
    """How many instances may exist at once."""

    def compile(self, wasm: bytes) -> bytes:
        """
        Compile a core module to native code for `load`, valid for this version and target only.

        Raises:
            UnsupportedModuleError: The module is valid, but uses a feature that this engine lacks.
            ModuleError: The module is invalid.
        """
        ...

    def load(self, artifact: bytes, hosts: HostModules) -> Prepared:
        """
        Load an artifact of `compile`. The caller has checked its digest: wrong bytes can crash the process.

        All its imports must be in `hosts`: the caller checks modules before they are compiled.

        Raises:
            ModuleError: The engine refuses the artifact.
        """
        ...
