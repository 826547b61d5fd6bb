"""Declare ``wasmedge_image``'s functions: i32 parameters, unsigned arguments, failures as exceptions."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Final

from wasm_grpc.core.pictures import PICTURES_IMPORT
from wasm_grpc.engines.protocol import FuncType, HostFunction
from wasm_grpc.hosts import refusal
from wasm_grpc.hosts.image.state import FAILURE, PictureState
from wasm_grpc.hosts.protocol import HostContext
from wasm_grpc.hosts.refusal import Refusal

__all__ = ["declare", "region"]

_SUCCESS: Final = 0
_U32_MAX: Final = 0xFFFF_FFFF


def declare(name: str, count: int, call: Callable[..., None]) -> HostFunction:
    """
    Return a host function that runs `call`, and returns 0 if `call` returns and 1 if it raises `Refusal`.

    Args:
        name: Name of the function, for the log.
        count: Number of i32 parameters.
        call: Called with the `PictureState`, the guest's memory and the unsigned arguments.
    """

    def answer(context: HostContext, *args: int) -> int:
        state = context.state_of(PictureState)
        try:
            call(state, context.memory(), *[arg & _U32_MAX for arg in args])
        except Refusal as exc:
            state.log(f"{PICTURES_IMPORT}: {name}: {exc}")
            return exc.errno
        return _SUCCESS

    return HostFunction(FuncType(("i32",) * count, ("i32",)), answer)


region = functools.partial(refusal.region, errno=FAILURE)
"""See `wasm_grpc.hosts.refusal.region`."""
