"""Guests that run one model on their input, each by another interface for inference; in the text format."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from wasm_grpc.core.model import PAGE_BYTES
from wasm_grpc.inference.protocol import Session, TensorInfo, TensorType

__all__ = ["INTERFACES", "guest_text", "memory_bytes"]

# Address 0: one iovec. 8: a size. 64: a graph or session. 72: a context or tensor. 96: a tensor's record.
# 116: its dimensions. 256: names. From `_DATA` on: the input, the output, the model.
_RECORD, _DIMS, _NAMES, _DATA = 96, 116, 256, 1024
_TENSOR: Final = struct.Struct("<IIB3xII")
_TYPES: Final = {TensorType.F32: 1, TensorType.U8: 3, TensorType.I32: 4}
"""Numbers of wasi-nn's new table."""

_GRAPH: Final = """
  (import "wasi_ephemeral_nn" "init_execution_context" (func $begin (param i32 i32) (result i32)))
  (import "wasi_ephemeral_nn" "set_input" (func $set_input (param i32 i32 i32) (result i32)))
  (import "wasi_ephemeral_nn" "compute" (func $compute (param i32) (result i32)))
  (import "wasi_ephemeral_nn" "get_output" (func $output (param i32 i32 i32 i32 i32) (result i32)))
"""
_RUN_GRAPH: Final = """
  (call $try (call $begin (i32.load (i32.const 64)) (i32.const 72)))
  (call $try (call $set_input (i32.load (i32.const 72)) (i32.const 0) (i32.const {record})))
  (call $try (call $compute (i32.load (i32.const 72))))
  (call $try (call $output (i32.load (i32.const 72)) (i32.const 0) (i32.const {out}) (i32.const {out_size})
    (i32.const 8)))
"""
_LOAD_BY_NAME: Final = (
    """(import "wasi_ephemeral_nn" "load_by_name" (func $by_name (param i32 i32 i32) (result i32)))""",
    """(call $try (call $by_name (i32.const {model_name}) (i32.const 5) (i32.const 64)))""",
)
_LOAD: Final = (
    """(import "wasi_ephemeral_nn" "load" (func $load (param i32 i32 i32 i32 i32) (result i32)))""",
    """(i32.store (i32.const 0) (i32.const {model}))
    (i32.store (i32.const 4) (i32.const {model_size}))
    (call $try (call $load (i32.const 0) (i32.const 1) (i32.const 4) (i32.const 0) (i32.const 64)))""",
)
_CURRENT: Final = (
    """
  (import "wasmedge_tensorflowlite" "create_session" (func $create (param i32 i32 i32) (result i32)))
  (import "wasmedge_tensorflowlite" "append_input" (func $append (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasmedge_tensorflowlite" "run_session" (func $run (param i32) (result i32)))
  (import "wasmedge_tensorflowlite" "get_output_tensor" (func $tensor (param i32 i32 i32 i32) (result i32)))
  (import "wasmedge_tensorflowlite" "get_tensor_data" (func $data (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasmedge_tensorflowlite" "delete_session" (func $delete (param i32) (result i32)))
    """,
    """
  (call $try (call $create (i32.const {model}) (i32.const {model_size}) (i32.const 64)))
  (call $try (call $append (i32.load (i32.const 64)) (i32.const {in_name}) (i32.const {in_name_size})
    (i32.const {in}) (i32.const {in_size})))
  (call $try (call $run (i32.load (i32.const 64))))
  (call $try (call $tensor (i32.load (i32.const 64)) (i32.const {out_name}) (i32.const {out_name_size})
    (i32.const 72)))
  (call $try (call $data (i32.load (i32.const 64)) (i32.load (i32.const 72)) (i32.const {out})
    (i32.const {out_size}) (i32.const 8)))
  (call $try (call $delete (i32.load (i32.const 64))))
    """,
)
_FIRST: Final = (
    """
  (import "wasmedge_tensorflowlite" "wasmedge_tensorflowlite_create_session"
    (func $create (param i32 i32) (result i64)))
  (import "wasmedge_tensorflowlite" "wasmedge_tensorflowlite_append_input"
    (func $append (param i64 i32 i32 i32 i32)))
  (import "wasmedge_tensorflowlite" "wasmedge_tensorflowlite_run_session"
    (func $run (param i64) (result i32)))
  (import "wasmedge_tensorflowlite" "wasmedge_tensorflowlite_get_output_tensor"
    (func $tensor (param i64 i32 i32) (result i64)))
  (import "wasmedge_tensorflowlite" "wasmedge_tensorflowlite_get_tensor_data" (func $data (param i64 i32)))
  (import "wasmedge_tensorflowlite" "wasmedge_tensorflowlite_delete_session" (func $delete (param i64)))
    """,
    """
  (i64.store (i32.const 64) (call $create (i32.const {model}) (i32.const {model_size})))
  (call $append (i64.load (i32.const 64)) (i32.const {in_name}) (i32.const {in_name_size})
    (i32.const {in}) (i32.const {in_size}))
  (call $try (call $run (i64.load (i32.const 64))))
  (call $data (call $tensor (i64.load (i32.const 64)) (i32.const {out_name}) (i32.const {out_name_size}))
    (i32.const {out}))
  (call $delete (i64.load (i32.const 64)))
    """,
)

INTERFACES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "wasi-nn-name": (_LOAD_BY_NAME[0] + _GRAPH, _LOAD_BY_NAME[1] + _RUN_GRAPH),
        "wasi-nn-load": (_LOAD[0] + _GRAPH, _LOAD[1] + _RUN_GRAPH),
        "tensorflowlite": _CURRENT,
        "tensorflowlite-2021": _FIRST,
    }
)
"""By name: imports and calls. The first opens the model "model"; the others embed it."""


def guest_text(interface: str, content: bytes, session: Session) -> str:
    """
    Return a guest that runs a model on standard input and writes the first output.

    Args:
        interface: Of `INTERFACES`.
        content: The model.
        session: Tells what it takes and returns.
    """
    taken, returned = session.inputs[0], session.outputs[0]
    imports, calls = INTERFACES[interface]
    embedded = b"" if interface == "wasi-nn-name" else content
    places, statics = _lay_out(taken, returned, embedded)
    data = "\n".join(f'(data (i32.const {at}) "{_escaped(each)}")' for at, each in statics.items())
    return f"""(module
      (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
      {imports}
      (memory (export "memory") {memory_bytes(content, session) // PAGE_BYTES})
      {data}
      (func $try (param $errno i32) (if (local.get $errno) (then (call $proc_exit (local.get $errno)))))
      (func (export "_start") (local $left i32)
        (i32.store (i32.const 0) (i32.const {places["in"]}))
        (local.set $left (i32.const {taken.size_bytes}))
        (loop $more
          (i32.store (i32.const 4) (local.get $left))
          (call $try (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
          (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.load (i32.const 8))))
          (local.set $left (i32.sub (local.get $left) (i32.load (i32.const 8))))
          (br_if $more (i32.and (i32.ne (local.get $left) (i32.const 0))
            (i32.ne (i32.load (i32.const 8)) (i32.const 0)))))
        {calls.format_map(places)}
        (i32.store (i32.const 0) (i32.const {places["out"]}))
        (i32.store (i32.const 4) (i32.const {returned.size_bytes}))
        (call $try (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"""


def memory_bytes(content: bytes, session: Session) -> int:
    """
    Return the memory that each guest of a model has.
    """
    taken, returned = session.inputs[0], session.outputs[0]
    return -(-(_DATA + taken.size_bytes + returned.size_bytes + len(content) + 16) // PAGE_BYTES) * PAGE_BYTES


def _escaped(content: bytes) -> str:
    return "\\" + content.hex("\\") if content else ""


def _lay_out(
    taken: TensorInfo, returned: TensorInfo, model: bytes
) -> tuple[dict[str, int], dict[int, bytes]]:
    # Places and sizes by name, and the bytes of the module's data by address.
    in_name, out_name = taken.name.encode(), returned.name.encode()
    out = _DATA + taken.size_bytes
    places = {
        "record": _RECORD,
        "model_name": _NAMES,
        "in_name": _NAMES + 8,
        "in_name_size": len(in_name),
        "out_name": _NAMES + 8 + len(in_name),
        "out_name_size": len(out_name),
        "in": _DATA,
        "in_size": taken.size_bytes,
        "out": out,
        "out_size": returned.size_bytes,
        "model": out + returned.size_bytes,
        "model_size": len(model),
    }
    record = _TENSOR.pack(_DIMS, len(taken.shape), _TYPES[taken.type], _DATA, taken.size_bytes)
    statics = {
        _RECORD: record + struct.pack(f"<{len(taken.shape)}I", *taken.shape),
        _NAMES: b"model\0\0\0" + in_name + out_name,
        places["model"]: model,
    }
    return places, statics
