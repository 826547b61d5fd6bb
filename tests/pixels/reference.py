"""
Scaling, written once more from its definition, pixel by pixel, to compare the fast one with.

`smooth` is that of stb_image_resize2 with its default filters, `bilinear` that of Boost.GIL.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from pixels.files import Rows

__all__ = ["bilinear", "linear_light", "smooth", "unit"]

Numbers = list[list[list[float]]]


def smooth(rows: Rows, width: int, height: int, level: Callable[[int], float] = float) -> Numbers:
    """Return the weighted means of all pixels around each centre, not rounded."""
    levels = [[[level(channel) for channel in pixel] for pixel in row] for row in rows]
    narrow = [_smooth_line(row, width) for row in levels]
    columns = [_smooth_line([row[x] for row in narrow], height) for x in range(width)]
    return [[column[y] for column in columns] for y in range(height)]


def bilinear(rows: Rows, width: int, height: int) -> Rows:
    """Return the means of the four nearest pixels, truncated."""
    across = [_position(x, len(rows[0]), width) for x in range(width)]
    down = [_position(y, len(rows), height) for y in range(height)]
    return [[[_mean(rows, x, y, channel) for channel in range(3)] for x in across] for y in down]


def linear_light(byte: int) -> float:
    """Return what a byte of a current function's float picture stands for."""
    return float((byte / 255) ** 2.2)


def unit(byte: int) -> float:
    """Return what a byte of an old function's float picture stands for."""
    return byte / 255


def _smooth_line(line: Sequence[Sequence[float]], size: int) -> list[list[float]]:
    step = len(line) / size
    stretch = max(1.0, step)
    kernel = _mitchell if len(line) > size else _catmull_rom
    result = []
    for index in range(size):
        centre = (index + 0.5) * step
        total, sums = 0.0, [0.0, 0.0, 0.0]
        for pixel in range(math.floor(centre - 2 * stretch) - 1, math.ceil(centre + 2 * stretch) + 2):
            weight = kernel(abs(pixel + 0.5 - centre) / stretch)
            inside = line[min(max(pixel, 0), len(line) - 1)]
            sums = [old + weight * channel for old, channel in zip(sums, inside)]  # noqa: B905
            total += weight
        result.append([each / total for each in sums])
    return result


def _mitchell(x: float) -> float:
    if x < 1:
        return 7 / 6 * x**3 - 2 * x**2 + 8 / 9
    return -7 / 18 * x**3 + 2 * x**2 - 10 / 3 * x + 16 / 9 if x < 2 else 0.0


def _catmull_rom(x: float) -> float:
    if x < 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0


def _position(index: int, size_in: int, size_out: int) -> float:
    # The first pixel of the result is the first one of the picture, and the last is the last.
    return min(index * max(size_in - 1, 1) / max(size_out - 1, 1), size_in - 1)


def _mean(rows: Rows, x: float, y: float, channel: int) -> int:
    left, top = math.floor(x), math.floor(y)
    right, bottom = min(left + 1, len(rows[0]) - 1), min(top + 1, len(rows) - 1)
    upper = rows[top][left][channel] * (1 - (x - left)) + rows[top][right][channel] * (x - left)
    lower = rows[bottom][left][channel] * (1 - (x - left)) + rows[bottom][right][channel] * (x - left)
    return int(upper * (1 - (y - top)) + lower * (y - top))
