"""How a function of wasi-nn is declared: all i32, unsigned arguments, errnos as exceptions."""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable

from wasm_grpc.engines.protocol import FuncType, HostFunction
from wasm_grpc.hosts.nn.abi import INVALID_ARGUMENT, MISSING_MEMORY, SUCCESS, U32_MAX
from wasm_grpc.hosts.nn.refusal import Refusal
from wasm_grpc.hosts.nn.state import InferenceContext

__all__ = ["declare", "region"]


def declare(name: str, count: int, call: Callable[..., None]) -> HostFunction:
    """
    Return the host function that runs `call` and answers with an errno.

    It answers 0 by returning, and an errno by raising `Refusal`, whose sentence goes to the
    function's log.

    Args:
        name: The function's, for the log.
        count: How many i32 it takes.
        call: Called with the context and the arguments, unsigned.
    """

    @functools.wraps(call)
    def answer(context: InferenceContext, *args: int) -> int:
        try:
            _check_memory(context)
            call(context, *[arg & U32_MAX for arg in args])
        except Refusal as refusal:
            context.inference.log(f"wasi-nn: {name}: {refusal}")
            return refusal.errno
        except struct.error:
            context.inference.log(f"wasi-nn: {name}: a pointer is outside memory; expected it inside")
            return INVALID_ARGUMENT
        return SUCCESS

    return HostFunction(FuncType(("i32",) * count, ("i32",)), answer)


def _check_memory(context: InferenceContext) -> None:
    if not context.memory():
        raise Refusal(MISSING_MEMORY, "the module has no memory; expected it exported as 'memory'")


def region(memory: memoryview, at: int, length: int, what: str) -> memoryview:
    """
    Return `length` bytes of guest memory from `at`, both unsigned.

    Raises:
        Refusal: INVALID_ARGUMENT, they are not all inside.
    """
    end = at + length
    if end > len(memory):
        raise Refusal(
            INVALID_ARGUMENT,
            f"{what} is outside memory; expected {length} bytes at {at} within {len(memory)}",
        )
    return memory[at:end]
