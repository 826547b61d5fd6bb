"""Generate a sample picture to call the functions with."""

from __future__ import annotations

import functools
import struct
import zlib

__all__ = ["sample_png"]

_SIDE = 128


@functools.cache
def sample_png() -> bytes:
    """
    Return a PNG of 128 x 128 pixels with gradients of red and green in one direction, blue in the other.

    Source: the PNG specification (third edition), 5 and 11.2.
    """
    rows = b"".join(
        # Filter type 0: the row is not filtered.
        b"\0" + b"".join(bytes((2 * x, 255 - 2 * x, 2 * y)) for x in range(_SIDE))
        for y in range(_SIDE)
    )
    header = struct.pack(">IIBBBBB", _SIDE, _SIDE, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, content) for name, content in chunks)


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
