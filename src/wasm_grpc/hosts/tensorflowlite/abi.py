"""
Constants and layouts of ``wasmedge_tensorflowlite``.

Source: ``ErrNo`` in WasmEdge's ``plugins/wasmedge_tensorflowlite/tensorflowlite_env.h``.
"""

from __future__ import annotations

import struct
from typing import Final

__all__ = ["BUSY", "INVALID_ARGUMENT", "MISSING_MEMORY", "MODULE", "SUCCESS", "WORD"]

MODULE: Final = "wasmedge_tensorflowlite"

SUCCESS: Final = 0
INVALID_ARGUMENT: Final = 1
MISSING_MEMORY: Final = 3
BUSY: Final = 4
"""WasmEdge's errno for whatever TensorFlow Lite refuses: a model that can't be run, and a run that fails."""

WORD: Final = struct.Struct("<I")
"""A handle or a size in the guest's memory."""
