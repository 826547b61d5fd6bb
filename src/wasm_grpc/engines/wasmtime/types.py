"""Convert function types between Wasmtime's classes and ours."""

from __future__ import annotations

import wasmtime

from wasm_grpc.engines.protocol import FuncType

__all__ = ["as_func_type", "as_wasmtime"]


def as_func_type(function: wasmtime.FuncType) -> FuncType:
    """
    Return Wasmtime's type as ours.
    """
    return FuncType(tuple(map(str, function.params)), tuple(map(str, function.results)))


def as_wasmtime(function: FuncType) -> wasmtime.FuncType:
    """
    Return our type as Wasmtime's.
    """
    return wasmtime.FuncType(
        [getattr(wasmtime.ValType, param)() for param in function.params],
        [getattr(wasmtime.ValType, result)() for result in function.results],
    )
