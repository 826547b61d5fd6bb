"""
Declare waPC's functions: i32 parameters, unsigned arguments, a bad pointer ends the guest.

Most of the functions have no result, so they can't report a pointer that is out of bounds. They end the
guest, as an instruction with that pointer would.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Final

from wasm_grpc.engines.protocol import FuncType, HostFunction
from wasm_grpc.hosts.protocol import HostContext
from wasm_grpc.hosts.regions import U32_MAX, OutOfBounds
from wasm_grpc.hosts.wapc.state import WapcState

__all__ = ["MODULE", "declare"]

MODULE: Final = "wapc"


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
            return call(context.state_of(WapcState), context.memory(), *[arg & U32_MAX for arg in args])
        except OutOfBounds as exc:
            raise exc.as_stop(f"{MODULE}.{name}") from None

    return HostFunction(FuncType(("i32",) * count, ("i32",) if has_result else ()), answer)
