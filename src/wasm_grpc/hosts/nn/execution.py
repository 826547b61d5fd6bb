"""Execution contexts of wasi-nn: set inputs, compute, get outputs."""

from __future__ import annotations

from typing import Final

from wasm_grpc.core.errors import ModelError
from wasm_grpc.hosts.inference import describe_tensor
from wasm_grpc.hosts.nn.abi import (
    HANDLE,
    INVALID_ARGUMENT,
    RUNTIME_ERROR,
    SIZE,
    TOO_LARGE,
    UNSUPPORTED_OPERATION,
)
from wasm_grpc.hosts.nn.calls import declare, region
from wasm_grpc.hosts.nn.state import InferenceState
from wasm_grpc.hosts.nn.tensors import read_tensor
from wasm_grpc.hosts.refusal import Refusal

__all__ = ["FUNCTIONS"]


def _init_execution_context(state: InferenceState, memory: memoryview, graph: int, context_at: int) -> None:
    opened = state.graph(graph)
    region(memory, context_at, HANDLE.size, "the address for the context")
    HANDLE.pack_into(memory, context_at, state.add_context(opened))


def _set_input(state: InferenceState, memory: memoryview, handle: int, index: int, tensor_at: int) -> None:
    execution = state.context(handle)
    wanted = execution.session.inputs
    if index >= len(wanted):
        raise Refusal(INVALID_ARGUMENT, f"no input {index}; expected an index below {len(wanted)}")
    execution.inputs[index] = read_tensor(
        memory,
        tensor_at,
        wanted=wanted[index],
        types=state.grants.tensor_types,
        where=describe_tensor("input", index, wanted[index]),
    )


def _compute(state: InferenceState, memory: memoryview, handle: int) -> None:
    execution = state.context(handle)
    index = execution.unset_input
    if index is not None:
        where = describe_tensor("input", index, execution.session.inputs[index])
        raise Refusal(INVALID_ARGUMENT, f"{where}: is not set; expected set_input before compute")
    try:
        execution.run()
    except ModelError as exc:
        raise Refusal(RUNTIME_ERROR, f"the model {exc}") from exc


def _get_output(
    state: InferenceState,
    memory: memoryview,
    handle: int,
    index: int,
    out_at: int,
    room: int,
    written_at: int,
) -> None:
    execution = state.context(handle)
    out = region(memory, out_at, room, "the output's buffer")
    region(memory, written_at, SIZE.size, "the address for the size")
    if execution.outputs is None:
        raise Refusal(INVALID_ARGUMENT, "there are no outputs; expected compute before get_output")
    if index >= len(execution.outputs):
        raise Refusal(
            INVALID_ARGUMENT, f"no output {index}; expected an index below {len(execution.outputs)}"
        )
    content = execution.outputs[index]
    # Write the size in either case, as WasmEdge does, so that a guest can retry with a larger buffer.
    SIZE.pack_into(memory, written_at, len(content))
    if len(content) > room:
        where = describe_tensor("output", index, execution.session.outputs[index])
        raise Refusal(
            TOO_LARGE, f"{where}: has {len(content)} bytes; expected a buffer of that size, not {room}"
        )
    out[: len(content)] = content


def _finalize_execution_context(state: InferenceState, memory: memoryview, handle: int) -> None:
    state.remove_context(handle)


def _incremental(state: InferenceState, memory: memoryview, handle: int, *_: int) -> None:
    state.context(handle)
    raise Refusal(
        UNSUPPORTED_OPERATION, "is for models with incremental output; expected compute and get_output"
    )


FUNCTIONS: Final = {
    "init_execution_context": declare("init_execution_context", 2, _init_execution_context),
    "set_input": declare("set_input", 3, _set_input),
    "compute": declare("compute", 1, _compute),
    "get_output": declare("get_output", 5, _get_output),
    "finalize_execution_context": declare("finalize_execution_context", 1, _finalize_execution_context),
    # WasmEdge's additions for language models, so that modules which import them link.
    "compute_single": declare("compute_single", 1, _incremental),
    "get_output_single": declare("get_output_single", 5, _incremental),
    "fini_single": declare("fini_single", 1, _incremental),
}
