"""Declare the functions of ``wasmedge_tensorflowlite``: their types, and what each returns if it fails."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Final

from wasm_grpc.core.model import Reason
from wasm_grpc.engines.protocol import FuncType, GuestStop, HostFunction, Value
from wasm_grpc.hosts import refusal
from wasm_grpc.hosts.inference import out_of_memory
from wasm_grpc.hosts.protocol import HostContext
from wasm_grpc.hosts.refusal import Refusal, memory_of
from wasm_grpc.hosts.tensorflowlite.abi import MISSING_MEMORY, MODULE, SUCCESS
from wasm_grpc.hosts.tensorflowlite.state import TensorflowLiteState

__all__ = ["declare_current", "declare_first", "region"]

_MASKS: Final = {"i32": 0xFFFF_FFFF, "i64": 0xFFFF_FFFF_FFFF_FFFF}

Call = Callable[..., int | None]
"""Called with the `TensorflowLiteState`, the guest's memory and the unsigned arguments."""


def declare_current(name: str, count: int, call: Call) -> HostFunction:
    """
    Return a host function that runs `call` and returns an errno, as all functions since WasmEdge 0.13 do.

    Args:
        name: Name of the function, for the log.
        count: Number of i32 parameters.
        call: Raises `Refusal` to return another errno than 0. Its message goes to the function's log.
    """

    def refuse(state: TensorflowLiteState, exc: Refusal) -> int:
        state.log(f"{MODULE}: {name}: {exc}")
        return exc.errno

    def succeed(*args: object) -> int:
        call(*args)
        return SUCCESS

    return _declare(FuncType(("i32",) * count, ("i32",)), succeed, refuse)


def declare_first(
    name: str, kind: FuncType, call: Call, *, failed: int | None = None, ends: bool = False
) -> HostFunction:
    """
    Return a host function of 2021, which can't return an errno.

    Args:
        name: Name of the function, for the log.
        kind: Its type.
        call: Raises `Refusal` where the function fails. Its message goes to the function's log.
        failed: What the function returns then.
        ends: It ends the guest instead, which would go on with wrong data. The message is the reason.
    """

    def refuse(state: TensorflowLiteState, exc: Refusal) -> int | None:
        if ends:
            raise GuestStop(Reason.TRAPPED, f"{name}: {exc}")
        state.log(f"{name}: {exc}")
        return failed

    return _declare(kind, call, refuse)


def _declare(
    kind: FuncType, call: Call, refuse: Callable[[TensorflowLiteState, Refusal], int | None]
) -> HostFunction:
    masks = tuple(_MASKS[each] for each in kind.params)

    @functools.wraps(call)
    def answer(context: HostContext, *args: int) -> Value | None:
        state = context.state_of(TensorflowLiteState)
        unsigned = [arg & mask for arg, mask in zip(args, masks, strict=True)]
        try:
            return call(state, memory_of(context, errno=MISSING_MEMORY), *unsigned)
        except Refusal as exc:
            return refuse(state, exc)
        except MemoryError:
            raise out_of_memory() from None

    return HostFunction(kind, answer)


def region(memory: memoryview, at: int, length: int, what: str) -> memoryview:
    """
    Return `length` bytes of guest memory from `at`, both unsigned.

    Raises:
        Refusal: MISSING_MEMORY, the region is out of bounds; WasmEdge's errno for that.
    """
    return refusal.region(memory, at, length, what, errno=MISSING_MEMORY)
