"""Declare WASI functions: their type, unsigned arguments, errnos raised as exceptions."""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable

from wasm_grpc.engines.protocol import FuncType, HostFunction
from wasm_grpc.hosts.wasi.abi import EBADF, EFAULT, SUCCESS, U32_MAX, U64_MAX
from wasm_grpc.hosts.wasi.context import WasiContext
from wasm_grpc.hosts.wasi.descriptors import Descriptor
from wasm_grpc.hosts.wasi.refusal import Refusal

__all__ = ["Refusal", "declare", "declare_hot", "open_descriptor", "refuse", "region"]

_LETTERS = {"i": "i32", "I": "i64"}
_MASKS = {"i": U32_MAX, "I": U64_MAX}


def declare(params: str, call: Callable[..., None]) -> HostFunction:
    """
    Return a host function that runs `call` and returns an errno.

    `call` gets unsigned arguments. The errno is 0 if it returns. `call` raises `Refusal` to return another
    one. Packing or unpacking outside memory (`struct.error`) is EFAULT.

    Args:
        params: One letter for each parameter: "i" for i32, "I" for i64. The result is one i32.
        call: Called with the `WasiContext` and the arguments.
    """
    masks = tuple(_MASKS[letter] for letter in params)

    @functools.wraps(call)
    def answer(context: WasiContext, *args: int) -> int:
        try:
            call(context, *[arg & mask for arg, mask in zip(args, masks, strict=True)])
        except Refusal as refusal:
            return refusal.errno
        except struct.error:
            return EFAULT
        return SUCCESS

    return declare_hot(params, answer)


def declare_hot(params: str, call: Callable[..., int]) -> HostFunction:
    """
    Return `call` as a host function, without a wrapper: it gets signed arguments and returns an errno.
    """
    return HostFunction(FuncType(tuple(_LETTERS[letter] for letter in params), ("i32",)), call)


def open_descriptor(context: WasiContext, fd: int) -> Descriptor:
    """
    Return the descriptor of `fd`.

    Raises:
        Refusal: EBADF, it is not open.
    """
    descriptor = context.descriptors.get(fd)
    if descriptor is None:
        raise Refusal(EBADF)
    return descriptor


def refuse(errno: int, *fds: int) -> Callable[..., None]:
    """
    Return a function that always fails: with EBADF if a descriptor is not open, else with `errno`.

    Args:
        errno: The errno if the descriptors are open.
        *fds: Positions of the arguments that are descriptors; by default the first.
    """

    def call(context: WasiContext, *args: int) -> None:
        for position in fds or (0,):
            open_descriptor(context, args[position])
        raise Refusal(errno)

    return call


def region(memory: memoryview, at: int, length: int) -> memoryview:
    """
    Return `length` bytes of guest memory from `at`, both unsigned.

    Raises:
        Refusal: EFAULT, the region is out of bounds.
    """
    end = at + length
    if end > len(memory):
        raise Refusal(EFAULT)
    return memory[at:end]
