"""
The functions of ``wasmedge_tensorflowlite`` since WasmEdge 0.13: i32 handles, and an errno from each.

Source: WasmEdge's ``plugins/wasmedge_tensorflowlite/tensorflowlite_func.cpp``; the crate
wasmedge_tensorflow_interface 0.3.
"""

from __future__ import annotations

from typing import Final

from wasm_grpc.hosts.inference import describe_tensor
from wasm_grpc.hosts.refusal import Refusal
from wasm_grpc.hosts.tensorflowlite import sessions
from wasm_grpc.hosts.tensorflowlite.abi import INVALID_ARGUMENT, WORD
from wasm_grpc.hosts.tensorflowlite.calls import declare_current, region
from wasm_grpc.hosts.tensorflowlite.state import OutputTensor, TensorflowLiteState

__all__ = ["FUNCTIONS"]


def _create_session(
    state: TensorflowLiteState, memory: memoryview, model_at: int, length: int, session_at: int
) -> None:
    region(memory, session_at, WORD.size, "the address for the session")
    WORD.pack_into(memory, session_at, sessions.create_session(state, memory, model_at, length))


def _get_output_tensor(
    state: TensorflowLiteState, memory: memoryview, session: int, name_at: int, length: int, tensor_at: int
) -> None:
    region(memory, tensor_at, WORD.size, "the address for the tensor")
    WORD.pack_into(memory, tensor_at, sessions.get_output_tensor(state, memory, session, name_at, length))


def _get_tensor_len(
    state: TensorflowLiteState, memory: memoryview, session: int, handle: int, length_at: int
) -> None:
    tensor = _tensor(state, session, handle)
    region(memory, length_at, WORD.size, "the address for the length")
    WORD.pack_into(memory, length_at, tensor.size_bytes)


def _get_tensor_data(
    state: TensorflowLiteState,
    memory: memoryview,
    session: int,
    handle: int,
    at: int,
    room: int,
    written_at: int,
) -> None:
    tensor = _tensor(state, session, handle)
    out = region(memory, at, room, "the tensor's buffer")
    region(memory, written_at, WORD.size, "the address for the size")
    # For a guest that looks at it in spite of the errno, as in WasmEdge.
    WORD.pack_into(memory, written_at, 0)
    content = tensor.content
    if len(content) != room:
        where = describe_tensor("output", tensor.index, tensor.info)
        raise Refusal(
            INVALID_ARGUMENT,
            f"{where}: has {len(content)} bytes; expected a buffer of that size, not {room}",
        )
    out[:] = content
    # WasmEdge leaves the 0 there: its plugin never writes the size.
    WORD.pack_into(memory, written_at, len(content))


def _tensor(state: TensorflowLiteState, session: int, handle: int) -> OutputTensor:
    execution, tensor = state.session(session), state.tensor(handle)
    if tensor.execution is not execution:
        raise Refusal(INVALID_ARGUMENT, f"tensor {handle} is another session's; expected one of {session}")
    return tensor


FUNCTIONS: Final = {
    "create_session": declare_current("create_session", 3, _create_session),
    "delete_session": declare_current("delete_session", 1, sessions.delete_session),
    "run_session": declare_current("run_session", 1, sessions.run_session),
    "get_output_tensor": declare_current("get_output_tensor", 4, _get_output_tensor),
    "get_tensor_len": declare_current("get_tensor_len", 3, _get_tensor_len),
    "get_tensor_data": declare_current("get_tensor_data", 5, _get_tensor_data),
    "append_input": declare_current("append_input", 5, sessions.append_input),
}
