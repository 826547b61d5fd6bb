"""Files of small pictures: PNG made by hand, so that their pixels are known, and JPEG made by Pillow."""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Sequence

__all__ = ["Rows", "chunk", "jpeg", "noise", "png", "png_of", "ramp"]

Rows = Sequence[Sequence[Sequence[int]]]
"""Rows from the top, of pixels, of red, green and blue."""

SIGNATURE = b"\x89PNG\r\n\x1a\n"
RGB = 2
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""Of each pass: the first column and row, and the steps from there."""


def noise(width: int, height: int, *, seed: int = 1) -> Rows:
    """Return a picture that tells each pixel and each channel from its neighbours."""
    numbers = random.Random(seed)
    return [[[numbers.randrange(256) for _ in range(3)] for _ in range(width)] for _ in range(height)]


def ramp(width: int, height: int) -> Rows:
    """Return a picture that JPEG keeps well: each channel changes slowly, and in a way of its own."""
    return [
        [[(40 + 3 * x) % 256, (30 + 4 * y) % 256, (200 - 2 * x - 3 * y) % 256] for x in range(width)]
        for y in range(height)
    ]


def chunk(kind: bytes, content: bytes) -> bytes:
    """Return a chunk of a PNG."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_of(
    size: tuple[int, int], depth: int, colour: int, content: bytes, *, more: bytes = b"", interlace: int = 0
) -> bytes:
    """Return a PNG with these bytes as its packed rows, each with its filter before it."""
    header = struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, interlace)
    image = chunk(b"IHDR", header) + more + chunk(b"IDAT", zlib.compress(content))
    return SIGNATURE + image + chunk(b"IEND", b"")


def png(rows: Rows, *, is_interlaced: bool = False) -> bytes:
    """Return the PNG of a picture, without loss."""
    size = (len(rows[0]), len(rows))
    if not is_interlaced:
        return png_of(size, 8, RGB, _lines(rows))
    passes = [[row[x::across] for row in rows[y::down]] for x, y, across, down in ADAM7]
    return png_of(size, 8, RGB, b"".join(map(_lines, passes)), interlace=1)


def jpeg(rows: Rows, **options: object) -> bytes:
    """Return the JPEG of a picture, with all that its format can keep of it."""
    from PIL import Image  # noqa: PLC0415 - not in every interpreter

    picture = Image.frombytes("RGB", (len(rows[0]), len(rows)), b"".join(map(_line, rows)))
    mode = str(options.pop("mode", "RGB"))
    file = io.BytesIO()
    picture.convert(mode).save(file, "JPEG", **{"quality": 100, "subsampling": 0, **options})
    return file.getvalue()


def _lines(rows: Rows) -> bytes:
    return b"".join(b"\0" + _line(row) for row in rows if row)


def _line(row: Sequence[Sequence[int]]) -> bytes:
    return b"".join(map(bytes, row))
