"""
The functions of ``wasmedge_tensorflowlite`` as modules of 2021 and 2022 import them: with i64 handles.

The handles were addresses in the host's memory, and none was checked. A function that failed returned 0 or 1,
or had no result to say so. Here, one that can't say so ends its guest, which would go on with wrong data.

Source: second-state's WasmEdge-tensorflow, ``lib/tensorflowlite_func.cpp``; the crate
wasmedge_tensorflow_interface 0.2.
"""

from __future__ import annotations

from typing import Final

from wasm_grpc.engines.protocol import FuncType
from wasm_grpc.hosts.tensorflowlite import sessions
from wasm_grpc.hosts.tensorflowlite.calls import declare_first, region
from wasm_grpc.hosts.tensorflowlite.state import TensorflowLiteState

__all__ = ["FUNCTIONS"]

_PREFIX: Final = "wasmedge_tensorflowlite_"
_CREATE_SESSION: Final = f"{_PREFIX}create_session"
_DELETE_SESSION: Final = f"{_PREFIX}delete_session"
_RUN_SESSION: Final = f"{_PREFIX}run_session"
_GET_OUTPUT_TENSOR: Final = f"{_PREFIX}get_output_tensor"
_GET_TENSOR_LEN: Final = f"{_PREFIX}get_tensor_len"
_GET_TENSOR_DATA: Final = f"{_PREFIX}get_tensor_data"
_APPEND_INPUT: Final = f"{_PREFIX}append_input"


def _delete_session(state: TensorflowLiteState, memory: memoryview, session: int) -> None:
    # The crate deletes also the session that could not be created.
    if session:
        sessions.delete_session(state, memory, session)


def _run_session(state: TensorflowLiteState, memory: memoryview, session: int) -> int:
    sessions.run_session(state, memory, session)
    return 0


def _get_tensor_len(state: TensorflowLiteState, _: memoryview, tensor: int) -> int:
    # The crate asks also for the length of the tensor that was not found, to return an empty vector.
    return state.tensor(tensor).size_bytes if tensor else 0


def _get_tensor_data(state: TensorflowLiteState, memory: memoryview, tensor: int, at: int) -> None:
    content = state.tensor(tensor).content
    region(memory, at, len(content), "the tensor's buffer")[:] = content


FUNCTIONS: Final = {
    _CREATE_SESSION: declare_first(
        _CREATE_SESSION, FuncType(("i32", "i32"), ("i64",)), sessions.create_session, failed=0
    ),
    _DELETE_SESSION: declare_first(_DELETE_SESSION, FuncType(("i64",)), _delete_session),
    _RUN_SESSION: declare_first(_RUN_SESSION, FuncType(("i64",), ("i32",)), _run_session, failed=1),
    _GET_OUTPUT_TENSOR: declare_first(
        _GET_OUTPUT_TENSOR, FuncType(("i64", "i32", "i32"), ("i64",)), sessions.get_output_tensor, failed=0
    ),
    _GET_TENSOR_LEN: declare_first(_GET_TENSOR_LEN, FuncType(("i64",), ("i32",)), _get_tensor_len, ends=True),
    _GET_TENSOR_DATA: declare_first(_GET_TENSOR_DATA, FuncType(("i64", "i32")), _get_tensor_data, ends=True),
    _APPEND_INPUT: declare_first(
        _APPEND_INPUT, FuncType(("i64", "i32", "i32", "i32", "i32")), sessions.append_input, ends=True
    ),
}
