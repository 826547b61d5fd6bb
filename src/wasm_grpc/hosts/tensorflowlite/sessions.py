"""What the functions of either table do: create a session, set its inputs, run it, find an output."""

from __future__ import annotations

from collections.abc import Sequence

from wasm_grpc.core.errors import ModelError, UnsupportedModelError
from wasm_grpc.hosts.inference import SHOWN_CHARS, bring, describe_names, describe_tensor
from wasm_grpc.hosts.refusal import Refusal
from wasm_grpc.hosts.tensorflowlite.abi import BUSY, INVALID_ARGUMENT
from wasm_grpc.hosts.tensorflowlite.calls import region
from wasm_grpc.hosts.tensorflowlite.state import TensorflowLiteState
from wasm_grpc.inference.protocol import TensorInfo

__all__ = ["append_input", "create_session", "delete_session", "get_output_tensor", "run_session"]


def create_session(state: TensorflowLiteState, memory: memoryview, model_at: int, length: int) -> int:
    """
    Return the handle of a session of the guest's model.

    Raises:
        Refusal, GuestStop, MemoryError: The model lies outside memory, can't be run, or was not granted.
    """
    content = region(memory, model_at, length, "the model")
    try:
        session = bring(state.models, content)
    except UnsupportedModelError as exc:
        raise Refusal(BUSY, f"the model {exc}") from exc
    except ModelError as exc:
        raise Refusal(INVALID_ARGUMENT, f"the model {exc}") from exc
    return state.add_session(session)


def delete_session(state: TensorflowLiteState, _: memoryview, session: int) -> None:
    """
    Close a session and its tensors.

    Raises:
        Refusal: There is no such session.
    """
    state.delete_session(session)


def append_input(
    state: TensorflowLiteState,
    memory: memoryview,
    session: int,
    name_at: int,
    length: int,
    at: int,
    size: int,
) -> None:
    """
    Set the input of this name for the next runs.

    Raises:
        Refusal: There is no such session or input, or the data has another size.
    """
    execution = state.session(session)
    content = region(memory, at, size, "the tensor")
    name = region(memory, name_at, length, "the name")
    index = _find("input", name, execution.session.inputs)
    wanted = execution.session.inputs[index]
    if size != wanted.size_bytes:
        where = describe_tensor("input", index, wanted)
        raise Refusal(
            INVALID_ARGUMENT, f"{where}: has {size} bytes; expected {wanted}, {wanted.size_bytes} bytes"
        )
    execution.inputs[index] = bytes(content)


def run_session(state: TensorflowLiteState, _: memoryview, session: int) -> None:
    """
    Run a session once.

    Raises:
        Refusal: There is no such session, an input is not set, or the model can't be run with them.
        MemoryError: There was not enough memory.
    """
    execution = state.session(session)
    index = execution.unset_input
    if index is not None:
        # WasmEdge would run the model on whatever lies there.
        where = describe_tensor("input", index, execution.session.inputs[index])
        raise Refusal(INVALID_ARGUMENT, f"{where}: is not set; expected append_input before run_session")
    try:
        execution.run()
    except ModelError as exc:
        raise Refusal(BUSY, f"the model {exc}") from exc


def get_output_tensor(
    state: TensorflowLiteState, memory: memoryview, session: int, name_at: int, length: int
) -> int:
    """
    Return the handle of the output of this name.

    Raises:
        Refusal: There is no such session or output.
    """
    execution = state.session(session)
    name = region(memory, name_at, length, "the name")
    return state.tensor_handle(execution, _find("output", name, execution.session.outputs))


def _find(kind: str, name: memoryview, tensors: Sequence[TensorInfo]) -> int:
    for index, tensor in enumerate(tensors):
        # Compared in place: a name may be as long as the guest's memory.
        if name == tensor.name.encode():
            return index
    # UTF-8 has at most four bytes for each character.
    shown = bytes(name[: 4 * SHOWN_CHARS]).decode("utf-8", "replace")[:SHOWN_CHARS]
    known = describe_names(tensor.name for tensor in tensors) or "it has none"
    raise Refusal(INVALID_ARGUMENT, f"no {kind} {shown!r}; expected one of the model's ({known})")
