"""What both towers know of pictures: who may decode them, how large they may be, and the memory it takes."""

from __future__ import annotations

from typing import Final

from wasm_grpc.core.model import MIB, Limits

__all__ = ["PICTURES_IMPORT", "decoding_bytes", "pixel_limit"]

PICTURES_IMPORT: Final = "wasmedge_image"
"""The host module that decodes pictures. A module that imports it may do so; that needs no grant."""

_PIXEL_BYTES: Final = 4
"""What Pillow keeps for a pixel."""
_PEAK_PIXEL_BYTES: Final = 16
"""
What a pixel takes at most: 14 bytes while it is converted from CMYK and copied.

A progressive JPEG takes 12 while it is decoded, 8 of them for coefficients of 16 bits.
"""
_LIBRARY_BYTES: Final = 112 * MIB
"""
Memory of the libraries, and for scaling.

Pillow and NumPy take 24 MiB as measured. OpenBLAS may make two buffers of 32 MiB. Scaling takes some 16 MiB.
"""


def pixel_limit(limits: Limits) -> int:
    """
    Return how many pixels a picture may have before it is scaled: those that fit into the guest's memory.
    """
    return limits.memory_bytes // _PIXEL_BYTES


def decoding_bytes(limits: Limits) -> int:
    """
    Return what a worker may take to decode a picture for this function, with a copy of the file.
    """
    return _LIBRARY_BYTES + limits.memory_bytes + _PEAK_PIXEL_BYTES * pixel_limit(limits)
