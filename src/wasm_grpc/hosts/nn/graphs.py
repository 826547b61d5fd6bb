"""``load``, ``load_by_name``, ``load_by_name_with_config`` and ``unload``: open and close graphs."""

from __future__ import annotations

import json
from typing import Final

from wasm_grpc.core.errors import ModelError, UnsupportedModelError
from wasm_grpc.hosts.inference import SHOWN_CHARS, bring, describe_names
from wasm_grpc.hosts.nn.abi import (
    BUILDER,
    ENCODING_AUTODETECT,
    ENCODING_TENSORFLOWLITE,
    HANDLE,
    INVALID_ARGUMENT,
    INVALID_ENCODING,
    NOT_FOUND,
    TARGET_AUTO,
    TARGET_CPU,
    TOO_LARGE,
    UNSUPPORTED_OPERATION,
)
from wasm_grpc.hosts.nn.calls import declare, region
from wasm_grpc.hosts.nn.state import InferenceState
from wasm_grpc.hosts.refusal import Refusal
from wasm_grpc.inference.grants import LargeModelError

__all__ = ["FUNCTIONS"]


def _load(
    state: InferenceState,
    memory: memoryview,
    builders_at: int,
    count: int,
    encoding: int,
    target: int,
    graph_at: int,
) -> None:
    region(memory, graph_at, HANDLE.size, "the address for the graph")
    if count != 1:
        raise Refusal(INVALID_ARGUMENT, f"the model has {count} parts; expected 1 for TensorFlow Lite")
    at, length = BUILDER.unpack(region(memory, builders_at, BUILDER.size, "the list of parts"))
    content = region(memory, at, length, "the model")
    if encoding not in (ENCODING_TENSORFLOWLITE, ENCODING_AUTODETECT):
        raise Refusal(
            INVALID_ENCODING, f"encoding {encoding} has no backend; expected 4 (tensorflowlite) or 5"
        )
    if target not in (TARGET_CPU, TARGET_AUTO):
        raise Refusal(UNSUPPORTED_OPERATION, f"target {target} has no backend; expected 0 (cpu)")
    try:
        session = bring(state.grants.models, content)
    except LargeModelError as exc:
        raise Refusal(TOO_LARGE, f"the model {exc}") from exc
    except UnsupportedModelError as exc:
        raise Refusal(UNSUPPORTED_OPERATION, f"the model {exc}") from exc
    except ModelError as exc:
        raise Refusal(INVALID_ARGUMENT, f"the model {exc}") from exc
    HANDLE.pack_into(memory, graph_at, state.add_graph(session))


def _load_by_name(
    state: InferenceState, memory: memoryview, name_at: int, length: int, graph_at: int
) -> None:
    region(memory, graph_at, HANDLE.size, "the address for the graph")
    name = _text(region(memory, name_at, length, "the name"), "the name")
    models = state.grants.models.named
    session = models.get(name)
    if session is None:
        granted = describe_names(sorted(models)) or "none is"
        raise Refusal(NOT_FOUND, f"no model {name[:SHOWN_CHARS]!r}; expected one that is granted ({granted})")
    HANDLE.pack_into(memory, graph_at, state.add_graph(session))


def _load_by_name_with_config(
    state: InferenceState,
    memory: memoryview,
    name_at: int,
    name_length: int,
    config_at: int,
    length: int,
    graph_at: int,
) -> None:
    config = _text(region(memory, config_at, length, "the configuration"), "the configuration")
    try:
        # The content is ignored: it is for other backends, and the manifest grants the threads.
        is_object = not config or isinstance(json.loads(config), dict)
    except (ValueError, RecursionError):
        is_object = False
    if not is_object:
        raise Refusal(INVALID_ARGUMENT, f"{config[:SHOWN_CHARS]!r} is not a JSON object; expected one")
    _load_by_name(state, memory, name_at, name_length, graph_at)


def _unload(state: InferenceState, memory: memoryview, graph: int) -> None:
    state.remove_graph(graph)


def _text(content: memoryview, what: str) -> str:
    try:
        return str(content, "utf-8")
    except UnicodeDecodeError:
        raise Refusal(INVALID_ARGUMENT, f"{what} is not valid UTF-8; expected text") from None


FUNCTIONS: Final = {
    "load": declare("load", 5, _load),
    "load_by_name": declare("load_by_name", 3, _load_by_name),
    "load_by_name_with_config": declare("load_by_name_with_config", 5, _load_by_name_with_config),
    "unload": declare("unload", 1, _unload),
}
