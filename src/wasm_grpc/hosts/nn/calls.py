"""Declare wasi-nn's functions: i32 parameters, unsigned arguments, errnos raised as exceptions."""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable

from wasm_grpc.engines.protocol import FuncType, HostFunction
from wasm_grpc.hosts import refusal
from wasm_grpc.hosts.inference import out_of_memory
from wasm_grpc.hosts.nn.abi import INVALID_ARGUMENT, MISSING_MEMORY, SUCCESS, U32_MAX
from wasm_grpc.hosts.nn.state import InferenceState
from wasm_grpc.hosts.protocol import HostContext
from wasm_grpc.hosts.refusal import Refusal, memory_of

__all__ = ["declare", "region"]


def declare(name: str, count: int, call: Callable[..., None]) -> HostFunction:
    """
    Return a host function that runs `call` and returns an errno.

    The errno is 0 if `call` returns. `call` raises `Refusal` to return another one. Its message goes to
    the function's log.

    Args:
        name: Name of the function, for the log.
        count: Number of i32 parameters.
        call: Called with the `InferenceState`, the guest's memory and the unsigned arguments.
    """

    @functools.wraps(call)
    def answer(context: HostContext, *args: int) -> int:
        state = context.state_of(InferenceState)
        try:
            call(state, memory_of(context, errno=MISSING_MEMORY), *[arg & U32_MAX for arg in args])
        except Refusal as exc:
            state.log(f"wasi-nn: {name}: {exc}")
            return exc.errno
        except struct.error:
            state.log(f"wasi-nn: {name}: a pointer is out of bounds; expected one inside memory")
            return INVALID_ARGUMENT
        except MemoryError:
            raise out_of_memory() from None
        return SUCCESS

    return HostFunction(FuncType(("i32",) * count, ("i32",)), answer)


def region(memory: memoryview, at: int, length: int, what: str) -> memoryview:
    """
    Return `length` bytes of guest memory from `at`, both unsigned.

    Raises:
        Refusal: INVALID_ARGUMENT, the region is out of bounds.
    """
    return refusal.region(memory, at, length, what, errno=INVALID_ARGUMENT)
