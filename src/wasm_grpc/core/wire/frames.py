"""The bytes of one frame: header, head and body."""

from __future__ import annotations

import enum
import struct
from typing import NamedTuple

from wasm_grpc.core.model import KIB, MIB

__all__ = [
    "HEADER",
    "HEADER_FORMAT",
    "HEAD_LIMIT_BYTES",
    "JOIN_LIMIT_BYTES",
    "WIRE_VERSION",
    "Frame",
    "Kind",
    "Pieces",
    "pack",
]

WIRE_VERSION = 6
"""Raised with every change of a message; both sides must agree."""

HEAD_LIMIT_BYTES = 4 * MIB
"""The longest head that a reader takes: an environment, or the kept tail of standard error."""

JOIN_LIMIT_BYTES = 16 * KIB
"""A longer body stays a piece of its own, so that it is not copied."""

HEADER_FORMAT = "<IIQ"
"""Kind, length of the head, length of the body; a packed head follows without padding."""

HEADER = struct.Struct(HEADER_FORMAT)

Pieces = tuple[bytes | memoryview, ...]
"""A packed frame: what is to be written, in this order."""


class Kind(enum.IntEnum):
    """
    Kinds of message; the table in the package's docstring says who sends which.

    HELLO keeps its number for ever, so that two versions can tell each other apart.
    """

    HELLO = 1
    ENGINE_OPENED = 2
    ENGINE_FAILED = 3
    LOAD = 4
    LOADED = 5
    LOAD_FAILED = 6
    INVOKE = 7
    READ = 8
    RESUME = 9
    RESUMED = 10
    INPUT = 11
    OUTPUT = 12
    LOG = 13
    RESULT = 14
    COMPILE = 15
    COMPILED = 16
    COMPILE_REFUSED = 17
    INSPECT = 18
    INSPECTED = 19
    INSPECT_REFUSED = 20


class Frame(NamedTuple):
    """
    One frame as received. A tuple, because it is made and thrown away for every message.
    """

    kind: Kind
    head: bytes
    body: bytes


def pack(kind: Kind, head: bytes = b"", body: bytes | memoryview = b"") -> Pieces:
    """
    Return a frame as one or two pieces to be written one after the other.

    A large body stays a piece of its own, so that it is not copied.
    """
    prefix = HEADER.pack(kind, len(head), len(body)) + head
    if len(body) <= JOIN_LIMIT_BYTES:
        return (prefix + body,)
    return (prefix, body)
