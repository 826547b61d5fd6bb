"""
Constants and layouts of wasi-nn's "witx" interface.

Source: ``wasi-nn.witx`` of WebAssembly/wasi-nn before its move to components; WasmEdge's
additions are from its ``plugins/wasi_nn/wasinntypes.h``.
"""

from __future__ import annotations

import struct
from typing import Final

__all__ = [
    "BUILDER",
    "BUSY",
    "ENCODING_AUTODETECT",
    "ENCODING_TENSORFLOWLITE",
    "HANDLE",
    "INVALID_ARGUMENT",
    "INVALID_ENCODING",
    "MISSING_MEMORY",
    "NOT_FOUND",
    "RUNTIME_ERROR",
    "SIZE",
    "SUCCESS",
    "TARGET_AUTO",
    "TARGET_CPU",
    "TENSOR",
    "TOO_LARGE",
    "U32_MAX",
    "UNSUPPORTED_OPERATION",
]

U32_MAX: Final = 0xFFFF_FFFF

# nn_errno
SUCCESS: Final = 0
INVALID_ARGUMENT: Final = 1
INVALID_ENCODING: Final = 2
MISSING_MEMORY: Final = 3
BUSY: Final = 4
RUNTIME_ERROR: Final = 5
UNSUPPORTED_OPERATION: Final = 6
TOO_LARGE: Final = 7
NOT_FOUND: Final = 8

# graph_encoding
ENCODING_TENSORFLOWLITE: Final = 4
ENCODING_AUTODETECT: Final = 5

# execution_target; "auto" is WasmEdge's.
TARGET_CPU: Final = 0
TARGET_AUTO: Final = 3

BUILDER: Final = struct.Struct("<II")
"""graph_builder: address and length of a model's bytes."""

TENSOR: Final = struct.Struct("<IIB3xII")
"""
tensor: address and count of the dimensions (u32 each), type, address and length of the data.

The type is read as one byte, since the crate wasi-nn 0.1.0 leaves the three bytes after it uninitialised.
"""

HANDLE: Final = struct.Struct("<I")
SIZE: Final = struct.Struct("<I")
