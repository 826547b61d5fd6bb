"""A guest that calls one function of wasmedge_image, and writes its result and a part of its memory."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from wasm_grpc.core.pictures import PICTURES_IMPORT
from wasm_grpc.hosts.image.functions import FUNCTIONS

__all__ = ["OUT", "PAGES", "PICTURE", "call", "guest"]

PAGES = 4
PICTURE = 4096
"""Where the picture lies."""
OUT = 131_072
"""Where the pixels go."""

_VECTOR, _WRITTEN, _RESULT, _SHOWN, _ARGS = 0, 16, 64, 2048, 2052


def guest(name: str) -> str:
    """Return the guest that calls this function, in the text format."""
    host = FUNCTIONS[PICTURES_IMPORT, name]
    loads = " ".join(f"(i32.load (i32.const {_ARGS + 4 * each}))" for each in range(len(host.type.params)))
    return f"""(module
      (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
      (import "{PICTURES_IMPORT}" "{name}"
        (func $load (param {" ".join(host.type.params)}) (result {" ".join(host.type.results)})))
      (memory (export "memory") {PAGES})
      (func (export "_start")
        (i32.store (i32.const {_VECTOR}) (i32.const {_SHOWN}))
        (i32.store (i32.const {_VECTOR + 4}) (i32.const {PAGES * 65_536 - _SHOWN}))
        (drop (call $fd_read (i32.const 0) (i32.const {_VECTOR}) (i32.const 1) (i32.const {_WRITTEN})))
        (i32.store (i32.const {_RESULT}) (call $load {loads}))
        (i32.store (i32.const {_VECTOR}) (i32.const {_RESULT}))
        (i32.store (i32.const {_VECTOR + 4}) (i32.const 1))
        (i32.store (i32.const {_VECTOR + 8}) (i32.const {OUT}))
        (i32.store (i32.const {_VECTOR + 12}) (i32.load (i32.const {_SHOWN})))
        (drop (call $fd_write (i32.const 1) (i32.const {_VECTOR}) (i32.const 2) (i32.const {_WRITTEN})))))"""


def call(args: Sequence[int], picture: bytes, *, shown: int) -> bytes:
    """
    Return the guest's input.

    Args:
        args: The arguments of the function.
        picture: The file that is to lie at `PICTURE`.
        shown: How many bytes from `OUT` it writes, behind one byte of the result.
    """
    numbers = struct.pack(f"<{len(args) + 1}I", shown, *[arg & 0xFFFF_FFFF for arg in args])
    return numbers.ljust(PICTURE - _SHOWN, b"\0") + picture
