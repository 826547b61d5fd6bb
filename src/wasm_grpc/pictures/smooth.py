"""
Scale pixels as stb_image_resize2 does by default: every source pixel counts, by a cubic filter.

Theory of operation. Each axis is scaled independently. An output pixel is the weighted mean of the input
pixels around its centre. Where the axis shrinks, the weights are Mitchell's filter, widened to cover all
input pixels. Where it grows or keeps its size, they are the Catmull-Rom filter. Beyond an edge, the pixels of
the edge repeat.

One matrix of all weights would be mostly zeros. So the output is computed in small blocks: each is a product
of two small matrices of weights and the part of the input that counts for them. That part is read in pieces,
so a block takes some 16 MiB at most, whatever the two sizes are.

Source: ``stb_image_resize2.h`` of nothings/stb, with its default filters and ``STBIR_EDGE_CLAMP``.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from wasm_grpc.pictures.protocol import CHANNELS

__all__ = ["Bytes", "Floats", "blocks", "scale_smoothly"]

_Item = TypeVar("_Item", np.uint8, np.float32)

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]

_BLOCK: Final = 32
"""Rows and columns of a block of output. OpenBLAS multiplies such small matrices without its large buffer."""
_PIECE: Final = 1024
"""The most rows and columns of input that are read at once."""
_RADIUS: Final = 2.0
"""Reach of both filters, in pixels of the coarser side."""
_KEPT: Final = 32
"""Blocks of an axis whose weights are kept: enough for 1,024 pixels."""


def scale_smoothly(pixels: Bytes, levels: Floats | None, out: NDArray[Any]) -> None:
    """
    Scale a picture.

    Args:
        pixels: Rows, columns and channels of the picture.
        levels: What each of the 256 bytes stands for; ``None`` if for itself.
        out: Rows, columns and channels of the result. Bytes are rounded and clamped, floats are neither.
    """
    rows = _Axis(pixels.shape[0], out.shape[0])
    columns = _Axis(pixels.shape[1], out.shape[1])
    is_float = out.dtype.kind == "f"
    for row_block in blocks(out.shape[0], _BLOCK):
        for column_block in blocks(out.shape[1], _BLOCK):
            scaled = _scale_block(pixels, levels, _Block(rows, row_block), _Block(columns, column_block))
            out[row_block, column_block] = scaled if is_float else np.clip(scaled + 0.5, 0, 255)


def blocks(size: int, step: int) -> Iterator[slice]:
    """
    Yield the slices of an axis, each `step` long but the last.
    """
    for start in range(0, size, step):
        yield slice(start, min(start + step, size))


class _Piece(NamedTuple):
    """
    Input pixels of one axis that count for a block of output.

    Attributes:
        picked: Their indexes. Those beyond an edge have the index of the edge.
        weights: How much each of them counts for each output pixel, not normalised.
        sums: The sum of the weights for each output pixel.
    """

    picked: NDArray[np.intp]
    weights: Floats
    sums: Floats


class _Axis:
    """
    How one axis is scaled. Positions are counted in input pixels, whose centres are at 0.5, 1.5 and so on.
    """

    def __init__(self, size_in: int, size_out: int) -> None:
        self._step = size_in / size_out
        # Each block of an axis meets all blocks of the other, so its weights are needed many times.
        self.piece = functools.lru_cache(maxsize=_KEPT)(functools.partial(_weigh, size_in, size_out))

    def reach(self, start: int, stop: int) -> range:
        """
        Return the input pixels that count for a block of output, including those beyond an edge.
        """
        radius = _RADIUS * max(1.0, self._step)
        first = (start + 0.5) * self._step - radius
        last = (stop - 0.5) * self._step + radius
        return range(math.floor(first + 0.5), math.floor(last - 0.5) + 1)


def _weigh(size_in: int, size_out: int, start: int, stop: int, reach: range) -> _Piece:
    """
    Return a piece of input with its weights for a block of output.
    """
    step = size_in / size_out
    indexes = np.arange(reach.start, reach.stop)
    centres = (np.arange(start, stop) + 0.5) * step
    distances = np.abs(centres[:, None] - (indexes + 0.5))
    weights = _mitchell(distances / step) if size_in > size_out else _catmull_rom(distances)
    sums = weights.sum(axis=1)
    return _Piece(np.clip(indexes, 0, size_in - 1), weights.astype(np.float32), sums.astype(np.float32))


class _Block:
    """
    A block of output on one axis. It iterates over the pieces of input that count for it.
    """

    def __init__(self, axis: _Axis, block: slice) -> None:
        self._axis = axis
        self._start, self._stop = block.start, block.stop

    def __len__(self) -> int:
        return len(range(self._start, self._stop))

    def __iter__(self) -> Iterator[_Piece]:
        reach = self._axis.reach(self._start, self._stop)
        for start in range(reach.start, reach.stop, _PIECE):
            yield self._axis.piece(self._start, self._stop, range(start, min(start + _PIECE, reach.stop)))


def _scale_block(pixels: Bytes, levels: Floats | None, rows: _Block, columns: _Block) -> Floats:
    # Columns come first in here, because the second product runs along them.
    block = np.zeros((len(columns), len(rows) * CHANNELS), np.float32)
    sums = np.zeros(len(columns), np.float32)
    for piece in columns:
        first, last = piece.picked[0], piece.picked[-1]
        strip = _scale_rows(pixels[:, first : last + 1], levels, rows)
        by_column = strip.reshape(len(rows), -1, CHANNELS).transpose(1, 0, 2).reshape(last + 1 - first, -1)
        block += piece.weights @ _pick(by_column, piece.picked - first)
        sums += piece.sums
    block /= sums[:, None]
    scaled: Floats = block.reshape(len(columns), len(rows), CHANNELS).transpose(1, 0, 2)
    return scaled


def _scale_rows(strip: Bytes, levels: Floats | None, rows: _Block) -> Floats:
    """
    Return a block of rows of a strip, scaled along this axis only. What is in one row stands side by side.
    """
    scaled = np.zeros((len(rows), strip.shape[1] * CHANNELS), np.float32)
    sums = np.zeros(len(rows), np.float32)
    for piece in rows:
        read = _pick(strip, piece.picked).reshape(len(piece.picked), -1)
        scaled += piece.weights @ (read.astype(np.float32) if levels is None else levels.take(read))
        sums += piece.sums
    scaled /= sums[:, None]
    return scaled


def _pick(lines: NDArray[_Item], picked: NDArray[np.intp]) -> NDArray[_Item]:
    """
    Return lines by their indexes, which are in order: without a copy, unless one is there twice.
    """
    first, last = picked[0], picked[-1]
    return lines[first : last + 1] if last + 1 - first == len(picked) else lines[picked]


def _mitchell(x: NDArray[np.float64]) -> NDArray[np.float64]:
    # Mitchell and Netravali's cubic with B = C = 1/3.
    near = (16 + x * x * (21 * x - 36)) / 18
    far = (32 + x * (-60 + x * (36 - 7 * x))) / 18
    return _cubic(x, near, far)


def _catmull_rom(x: NDArray[np.float64]) -> NDArray[np.float64]:
    # The same with B = 0 and C = 1/2: 1 at 0, and 0 at every other pixel, so an equal size is an exact copy.
    near = 1 - x * x * (2.5 - 1.5 * x)
    far = 2 - x * (4 + x * (0.5 * x - 2.5))
    return _cubic(x, near, far)


def _cubic(
    x: NDArray[np.float64], near: NDArray[np.float64], far: NDArray[np.float64]
) -> NDArray[np.float64]:
    values: NDArray[np.float64] = np.where(x < 1, near, np.where(x < _RADIUS, far, 0.0))
    return values
