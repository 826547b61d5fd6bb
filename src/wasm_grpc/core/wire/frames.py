"""Pack the bytes of one frame: header, head and body."""

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
    "MESSAGE_LIMIT_BYTES",
    "WIRE_VERSION",
    "Frame",
    "Kind",
    "Pieces",
    "pack",
]

WIRE_VERSION = 14
"""Increased with every change of a message. Both sides must have the same."""

HEAD_LIMIT_BYTES = 4 * MIB
"""The longest head that a reader accepts. The longest are an environment and the end of standard error."""

MESSAGE_LIMIT_BYTES = 64 * KIB
"""The longest message of an outcome, in UTF-8: far more than its caller is told."""

JOIN_LIMIT_BYTES = 16 * KIB
"""A shorter body is joined to its head, which saves a piece. A longer one is not, which saves a copy."""

HEADER_FORMAT = "<IIQ"
"""Kind, length of the head, length of the body. A packed head follows without padding."""

HEADER = struct.Struct(HEADER_FORMAT)

Pieces = tuple[bytes | memoryview, ...]
"""A packed frame: the pieces to write, in this order."""


class Kind(enum.IntEnum):
    """
    Kinds of messages. A table in the package's docstring says which side sends which.

    HELLO always keeps its number, so that each version can recognise any other.
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
    FORK = 21
    FORKED = 22
    FORK_FAILED = 23
    DAPR_CALL = 24
    DAPR_ANSWER = 25
    DESCRIBE = 26
    DESCRIBED = 27
    FIND_DECODER = 28


class Frame(NamedTuple):
    """
    One received frame. It is a tuple, because every message needs one, and tuples are made fastest.
    """

    kind: Kind
    head: bytes
    body: bytes


def pack(kind: Kind, head: bytes = b"", body: bytes | memoryview = b"") -> Pieces:
    """
    Return a frame as one or two pieces, to be written one after the other.

    A body over `JOIN_LIMIT_BYTES` is a piece of its own, so that it is not copied.
    """
    prefix = HEADER.pack(kind, len(head), len(body)) + head
    if len(body) <= JOIN_LIMIT_BYTES:
        return (prefix + body,)
    return (prefix, body)
