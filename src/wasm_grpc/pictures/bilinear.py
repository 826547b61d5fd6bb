"""
Scale pixels as Boost.GIL's ``resize_view`` does with ``bilinear_sampler``: by the four nearest source pixels.

The corner pixels of the result are those of the picture. A much smaller result leaves out most pixels.
Results are truncated to bytes, not rounded, as by a cast in C++.

Source: ``extension/numeric/resample.hpp``, ``sampler.hpp`` and ``affine.hpp`` of boostorg/gil. One thing is
different: if the picture is one pixel wide or high, GIL does not write the last column or row of the result.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from wasm_grpc.pictures.protocol import CHANNELS
from wasm_grpc.pictures.smooth import Bytes, Floats, blocks

__all__ = ["scale_bilinearly"]

_BLOCK: Final = 128
"""Rows and columns of a block of output."""


def scale_bilinearly(pixels: Bytes, levels: Floats | None, out: NDArray[Any]) -> None:
    """
    Scale a picture.

    Args:
        pixels: Rows, columns and channels of the picture.
        levels: What each of the 256 bytes of the result stands for; ``None`` if for itself.
        out: Rows, columns and channels of the result.
    """
    height, width = pixels.shape[:2]
    # `take` along one axis is ten times as fast as an index on two.
    flat = pixels.reshape(-1, CHANNELS)
    for row_block in blocks(out.shape[0], _BLOCK):
        above, below, down = _neighbours(height, out.shape[0], row_block)
        above, below, down = above[:, None] * width, below[:, None] * width, down[:, None, None]
        for column_block in blocks(out.shape[1], _BLOCK):
            left, right, across = _neighbours(width, out.shape[1], column_block)
            across = across[:, None]
            # In GIL's order, because a sum that differs in its last bit may be truncated to another byte.
            scaled = flat.take(above + left, axis=0) * ((1 - across) * (1 - down))
            scaled += flat.take(above + right, axis=0) * (across * (1 - down))
            scaled += flat.take(below + left, axis=0) * ((1 - across) * down)
            scaled += flat.take(below + right, axis=0) * (across * down)
            result = scaled.astype(np.uint8)
            out[row_block, column_block] = result if levels is None else levels[result]


def _neighbours(
    size_in: int, size_out: int, block: slice
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """
    Return, for a block of output: the pixels before, those after, and how much the latter count.
    """
    # As GIL multiplies its matrices: move the centre to 0, scale, move it to the picture's.
    extent_in, extent_out = max(size_in - 1.0, 1.0), max(size_out - 1.0, 1.0)
    scale = extent_in / extent_out
    positions = scale * np.arange(block.start, block.stop) + (-extent_out / 2 * scale + extent_in / 2)
    before = np.floor(positions).astype(np.intp)
    # At an edge there is one neighbour only; rounding may put a position just outside.
    is_inside = (before >= 0) & (before + 1 < size_in)
    fractions = np.where(is_inside, positions - before, 0.0)
    before = np.clip(before, 0, size_in - 1)
    return before, np.where(is_inside, before + 1, before), fractions
