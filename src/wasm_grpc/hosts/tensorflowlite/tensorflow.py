"""
The functions of ``wasmedge_tensorflow``, for modules that import them; a call of one ends the guest.

The crate has one type of session for TensorFlow and TensorFlow Lite, so a module that runs only the latter
imports the functions of both.

Source of the types: WasmEdge's ``plugins/wasmedge_tensorflow/tensorflow_func.h``; second-state's
WasmEdge-tensorflow, ``include/tensorflow_func.h``.
"""

from __future__ import annotations

from typing import Final, NoReturn

from wasm_grpc.core.model import Reason
from wasm_grpc.engines.protocol import Context, FuncType, GuestStop, HostFunction, Value

__all__ = ["FUNCTIONS", "MODULE"]

MODULE: Final = "wasmedge_tensorflow"


def _stub(name: str, params: str, result: str = "") -> HostFunction:
    def end(_: Context, *__: Value) -> NoReturn:
        raise GuestStop(
            Reason.TRAPPED,
            f"{MODULE}.{name}: models of full TensorFlow can't be run; expected one of TensorFlow Lite, "
            "by wasmedge_tensorflowlite or wasi_ephemeral_nn",
        )

    return HostFunction(FuncType(tuple(params.split()), (result,) if result else ()), end)


_CURRENT: Final = {
    "create_session": 3,
    "create_session_saved_model": 5,
    "delete_session": 1,
    "run_session": 1,
    "get_output_tensor": 4,
    "get_tensor_len": 3,
    "get_tensor_data": 5,
    "append_input": 8,
    "append_output": 3,
    "clear_input": 1,
    "clear_output": 1,
}
"""Number of i32 parameters. All of them return an errno."""

_FIRST: Final = {
    "wasmedge_tensorflow_create_session": ("i32 i32", "i64"),
    "wasmedge_tensorflow_delete_session": ("i64", ""),
    "wasmedge_tensorflow_run_session": ("i64", "i32"),
    "wasmedge_tensorflow_get_output_tensor": ("i64 i32 i32 i32", "i64"),
    "wasmedge_tensorflow_get_tensor_len": ("i64", "i32"),
    "wasmedge_tensorflow_get_tensor_data": ("i64 i32", ""),
    "wasmedge_tensorflow_append_input": ("i64 i32 i32 i32 i32 i32 i32 i32 i32", ""),
    "wasmedge_tensorflow_append_output": ("i64 i32 i32 i32", ""),
    "wasmedge_tensorflow_clear_input": ("i64", ""),
    "wasmedge_tensorflow_clear_output": ("i64", ""),
}
"""Types of the functions of 2021."""

FUNCTIONS: Final = {
    **{name: _stub(name, "i32 " * count, "i32") for name, count in _CURRENT.items()},
    **{name: _stub(name, params, result) for name, (params, result) in _FIRST.items()},
}
