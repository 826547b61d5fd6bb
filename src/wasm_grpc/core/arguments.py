"""
Typed arguments of a guest's function, and their encoding as the input of an invocation.

Each argument is encoded as ``u32 count | u32 size | bytes``, little-endian, one after the other: the number
of its elements (1 for a number, the bytes of a text), the size of all of them, and the elements themselves.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from wasm_grpc.core.errors import ProtocolError

__all__ = ["Argument", "decode_arguments", "encode_arguments"]

_HEAD = struct.Struct("<II")


@dataclass(frozen=True, slots=True)
class Argument:
    """
    One argument.

    Attributes:
        content: Its elements, little-endian.
        count: Number of its elements; ``None`` for that of its bytes.
        type: What the user called its type; "" for a text or bytes.
    """

    content: bytes
    count: int | None = None
    type: str = ""


def encode_arguments(arguments: Iterable[Argument]) -> bytes:
    """
    Return the arguments in the form that `decode_arguments` reads. Their types are left out.
    """
    pieces = []
    for argument in arguments:
        size = len(argument.content)
        count = size if argument.count is None else argument.count
        pieces += [_HEAD.pack(count, size), argument.content]
    return b"".join(pieces)


def decode_arguments(encoded: bytes) -> Iterator[tuple[int, memoryview]]:
    """
    Yield the number of elements and the bytes of each argument. This copies nothing.

    Raises:
        ProtocolError: They were encoded otherwise.
    """
    rest = memoryview(encoded)
    while rest:
        if len(rest) < _HEAD.size:
            raise ProtocolError(f"arguments: {len(rest)} bytes at the end; expected at least {_HEAD.size}")
        count, size = _HEAD.unpack_from(rest)
        end = _HEAD.size + size
        if len(rest) < end:
            raise ProtocolError(f"arguments: {len(rest)} bytes at the end; expected at least {end}")
        yield count, rest[_HEAD.size : end]
        rest = rest[end:]
