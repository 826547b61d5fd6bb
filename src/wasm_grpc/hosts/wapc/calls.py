"""
Declare waPC's functions: i32 parameters, unsigned arguments, checked regions of guest memory.

Most of the functions have no result, so they can't report a pointer that is out of bounds. They end the
guest, as an instruction with that pointer would.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Final

from wasm_grpc.core.model import Reason
from wasm_grpc.engines.protocol import FuncType, GuestStop, HostFunction
from wasm_grpc.engines.traps import OUT_OF_BOUNDS_MEMORY_ACCESS
from wasm_grpc.hosts.protocol import HostContext
from wasm_grpc.hosts.wapc.state import WapcState

__all__ = ["MODULE", "OutOfBounds", "declare", "put", "region"]

MODULE: Final = "wapc"

_U32_MAX: Final = 0xFFFF_FFFF


class OutOfBounds(Exception):
    """
    A guest's pointer and length lie outside its memory.
    """


def declare(
    name: str, count: int, call: Callable[..., int | None], *, has_result: bool = False
) -> HostFunction:
    """
    Return a host function that runs `call`. If `call` raises `OutOfBounds`, the guest ends.

    Args:
        name: Name of the function, for the error.
        count: Number of i32 parameters.
        call: Called with the `WapcState`, the guest's memory and the unsigned arguments.
        has_result: Whether it returns an i32.
    """

    @functools.wraps(call)
    def answer(context: HostContext, *args: int) -> int | None:
        try:
            return call(context.state_of(WapcState), context.memory(), *[arg & _U32_MAX for arg in args])
        except OutOfBounds as exc:
            message = f"{OUT_OF_BOUNDS_MEMORY_ACCESS} in {MODULE}.{name}: {exc}"
            raise GuestStop(Reason.TRAPPED, message) from None

    return HostFunction(FuncType(("i32",) * count, ("i32",) if has_result else ()), answer)


def region(memory: memoryview, at: int, length: int) -> memoryview:
    """
    Return `length` bytes of guest memory from `at`, both unsigned.

    Raises:
        OutOfBounds: They are not inside memory. No bytes may be anywhere: the SDKs pass a dangling pointer.
    """
    if not length:
        return memory[:0]
    end = at + length
    if end > len(memory):
        raise OutOfBounds(f"{length} bytes at {at}; expected them within {len(memory)}")
    return memory[at:end]


def put(memory: memoryview, at: int, content: bytes) -> None:
    """
    Copy bytes to guest memory.

    Raises:
        OutOfBounds: As `region`.
    """
    region(memory, at, len(content))[:] = content
