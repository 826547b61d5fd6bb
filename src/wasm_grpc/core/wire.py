"""
The frames between the server's tower and the worker's, over one stream socket.

Theory of operation. A frame is a fixed header, a *head* and a *body*::

    u8 kind | u8 flags | u16 zero | u32 length of head | u64 length of body | head | body

little-endian. Control frames carry a JSON object as their head; the two frames of the hot path,
`INVOKE` and `RESULT`, carry a packed head instead (`pack_invoke`, `pack_result`), because JSON
would cost more than the rest of the exchange. Nothing here unpickles: a worker whose engine was
escaped from may send any bytes, and the worst that they may do is a `ProtocolError`.

What is sent when:

====================  =========  ==============================================================
frame                 from       meaning
====================  =========  ==============================================================
HELLO                 worker     first frame: package and wire version, engine, target
LOAD                  server     take up a function under an index
LOADED / LOAD_FAILED  worker     it is ready / it can't be
INVOKE                server     run the function of that index; one at a time
READ                  worker     a streaming guest waits for input: at most so many bytes, after so many
RESUME                worker     it waits no longer, though no input came: a timeout has passed
RESUMED               server     it may go on: it has its run slot; input may come before this
INPUT                 server     input, asked for or not; empty means its end
OUTPUT / LOG          worker     a streaming guest wrote to standard output / error
RESULT                worker     the invocation ended
COMPILE               server     check, limit and compile the module in the body
COMPILED / REFUSED    worker     the artifact in the body / why there is none
INSPECT               server     try a model, or the inference backend alone
INSPECTED / REFUSED   worker     the backend, and the memory that the model takes / why it can't be run
====================  =========  ==============================================================
"""

from __future__ import annotations

import enum
import io
import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from wasm_grpc.core.errors import ProtocolError
from wasm_grpc.core.model import KIB, MIB, Outcome, Reason

__all__ = [
    "HEAD_LIMIT_BYTES",
    "WIRE_VERSION",
    "Frame",
    "FrameReader",
    "InvokeHead",
    "Kind",
    "Pieces",
    "encode_env",
    "pack",
    "pack_invoke",
    "pack_json",
    "pack_read",
    "pack_result",
    "unpack_invoke",
    "unpack_json",
    "unpack_read",
    "unpack_result",
]

WIRE_VERSION = 5
"""Raised with every change of a frame; both sides must agree."""

HEAD_LIMIT_BYTES = 4 * MIB
"""The longest head that a reader takes: an environment, or the kept tail of standard error."""

_HEADER = struct.Struct("<BBHIQ")
_INVOKE = struct.Struct("<IB3x")
_READ = struct.Struct("<QQ")
_RESULT = struct.Struct("<BBHIQII")
_REASONS = tuple(Reason)
_REASON_CODES = {reason: code for code, reason in enumerate(_REASONS)}
_JOIN_LIMIT_BYTES = 16 * KIB
_STREAMS = 1
_FOLLOWS_LOG = 2
_TAINTED = 1


Pieces = tuple[bytes | memoryview, ...]
"""A packed frame: what is to be written, in this order."""


class Kind(enum.IntEnum):
    """
    Kinds of frame; the table above says who sends which.
    """

    HELLO = 1
    LOAD = 2
    LOADED = 3
    LOAD_FAILED = 4
    INVOKE = 5
    READ = 6
    INPUT = 7
    OUTPUT = 8
    LOG = 9
    RESULT = 10
    COMPILE = 11
    COMPILED = 12
    REFUSED = 13
    INSPECT = 14
    INSPECTED = 15
    RESUME = 16
    RESUMED = 17


_KINDS = {int(kind): kind for kind in Kind}


@dataclass(frozen=True, slots=True)
class Frame:
    """
    One frame as received.
    """

    kind: Kind
    head: bytes
    body: bytes


@dataclass(frozen=True, slots=True)
class InvokeHead:
    """
    Head of an INVOKE frame.

    Attributes:
        index: The function's index, from its LOAD.
        streams: Input comes as INPUT and output is sent as OUTPUT; else the body is the input and the
            result's body the output.
        follows_log: Standard error is sent as LOG too.
        env: The environment, as `encode_env` made it.
    """

    index: int
    streams: bool
    follows_log: bool
    env: bytes


def pack(kind: Kind, head: bytes = b"", body: bytes | memoryview = b"") -> Pieces:
    """
    Return a frame as one or two pieces to be written one after the other.

    A large body stays a piece of its own, so that it is not copied.
    """
    prefix = _HEADER.pack(kind, 0, 0, len(head), len(body)) + head
    if len(body) <= _JOIN_LIMIT_BYTES:
        return (prefix + body,)
    return (prefix, body)


def pack_json(kind: Kind, head: Mapping[str, Any], body: bytes = b"") -> Pieces:
    """
    Return a control frame, as `pack` does.
    """
    return pack(kind, json.dumps(head, separators=(",", ":")).encode(), body)


def unpack_json(frame: Frame) -> dict[str, Any]:
    """
    Read a control frame's head.

    Raises:
        ProtocolError: It is not a JSON object.
    """
    try:
        head = json.loads(frame.head)
    except (ValueError, RecursionError) as exc:
        raise ProtocolError(f"{frame.kind.name} frame: head is not JSON") from exc
    if not isinstance(head, dict):
        raise ProtocolError(f"{frame.kind.name} frame: head is not a JSON object")
    return head


def encode_env(env: tuple[tuple[str, str], ...]) -> bytes:
    """
    Return ``NAME=value`` strings, each ended by NUL: what WASI's ``environ_get`` copies out.
    """
    return "".join([f"{name}={value}\0" for name, value in env]).encode("utf-8", "surrogateescape")


def pack_invoke(
    index: int, env: bytes, body: bytes, *, streams: bool = False, follows_log: bool = False
) -> Pieces:
    """
    Return an INVOKE frame, as `pack` does.
    """
    flags = (_STREAMS if streams else 0) | (_FOLLOWS_LOG if follows_log else 0)
    return pack(Kind.INVOKE, _INVOKE.pack(index, flags) + env, body)


def unpack_invoke(frame: Frame) -> InvokeHead:
    """
    Read an INVOKE frame's head.
    """
    index, flags = _INVOKE.unpack_from(frame.head)
    return InvokeHead(index, bool(flags & _STREAMS), bool(flags & _FOLLOWS_LOG), frame.head[_INVOKE.size :])


def pack_read(limit: int, taken: int) -> Pieces:
    """
    Return a READ frame, as `pack` does.

    Args:
        limit: Bytes that the guest takes at once; 0 if it waits for input without reading it.
        taken: Bytes of input that it has had so far; if more were sent, they have crossed this frame.
    """
    return pack(Kind.READ, _READ.pack(limit, taken))


def unpack_read(frame: Frame) -> tuple[int, int]:
    """
    Read a READ frame: (limit, taken), as `pack_read` has them.

    Raises:
        ProtocolError: The head is of another length.
    """
    if len(frame.head) != _READ.size:
        raise ProtocolError(f"READ frame: head of {len(frame.head)} bytes; expected {_READ.size}")
    limit, taken = _READ.unpack(frame.head)
    return limit, taken


def pack_result(outcome: Outcome, *, is_tainted: bool = False) -> Pieces:
    """
    Return a RESULT frame, as `pack` does.

    Args:
        outcome: How the invocation ended.
        is_tainted: The worker ends after this frame.
    """
    message = outcome.message.encode("utf-8", "replace")
    limit = outcome.limit.encode()
    head = _RESULT.pack(
        _REASON_CODES[outcome.reason],
        _TAINTED if is_tainted else 0,
        len(limit),
        outcome.exit_code,
        outcome.memory_bytes,
        len(message),
        len(outcome.stderr),
    )
    return pack(Kind.RESULT, b"".join((head, limit, message, outcome.stderr)), outcome.body)


def unpack_result(frame: Frame) -> tuple[Outcome, bool]:
    """
    Read a RESULT frame: the outcome, and whether the worker ends after it.

    Raises:
        ProtocolError: The head doesn't hold what its lengths say.
    """
    head = frame.head
    if len(head) < _RESULT.size:
        raise ProtocolError("RESULT frame: head is too short")
    code, flags, limit_len, exit_code, memory, message_len, stderr_len = _RESULT.unpack_from(head)
    if len(head) != _RESULT.size + limit_len + message_len + stderr_len or code >= len(_REASONS):
        raise ProtocolError("RESULT frame: head does not hold what its lengths say")
    if len(head) == _RESULT.size:
        outcome = Outcome(reason=_REASONS[code], body=frame.body, exit_code=exit_code, memory_bytes=memory)
        return outcome, bool(flags & _TAINTED)
    message_at = _RESULT.size + limit_len
    stderr_at = message_at + message_len
    outcome = Outcome(
        reason=_REASONS[code],
        body=frame.body,
        message=head[message_at:stderr_at].decode("utf-8", "replace"),
        stderr=head[stderr_at:],
        exit_code=exit_code,
        memory_bytes=memory,
        limit=head[_RESULT.size : message_at].decode("utf-8", "replace"),
    )
    return outcome, bool(flags & _TAINTED)


class FrameReader:
    """
    Turns received pieces into frames; holds no socket.

    A piece may be overwritten once its frames were taken: what is kept of it is copied, once. A long body
    is gathered as it comes, so that its pieces need not be kept and joined.
    """

    __slots__ = ("_begun", "_body", "_body_limit", "_head", "_kind", "_missing", "_needed")

    def __init__(self, *, body_limit: int) -> None:
        """
        Expect a frame's first byte.

        Args:
            body_limit: The longest body to take, in bytes.
        """
        self._body_limit = body_limit
        # Of a frame whose head is not all there, and how many bytes it takes to read on.
        self._begun = bytearray()
        self._needed = _HEADER.size
        # Of a frame whose body is not all there.
        self._kind = Kind.HELLO
        self._head = b""
        self._body = io.BytesIO()
        self._missing = 0

    def feed(self, piece: bytes | memoryview) -> Iterator[Frame]:
        """
        Take one piece and give the frames that it completes; all are to be taken before the next piece.

        Raises:
            ProtocolError: The peer broke the format; nothing more may be fed.
        """
        rest = memoryview(piece)
        if self._missing:
            taken = self._body.write(rest[: self._missing])
            self._missing -= taken
            if self._missing:
                return
            rest = rest[taken:]
            yield self._gathered()
        if self._begun:
            # Tried again only once it is enough: a peer may send it byte by byte.
            self._begun += rest
            if len(self._begun) < self._needed:
                return
            rest = memoryview(bytes(self._begun))
            self._begun.clear()
        self._needed = _HEADER.size
        while len(rest) >= _HEADER.size:
            kind, _, zero, head_len, body_len = _HEADER.unpack_from(rest)
            self._check(kind, zero, head_len, body_len)
            body_at = _HEADER.size + head_len
            end = body_at + body_len
            if len(rest) < body_at:
                self._needed = body_at
                break
            head = bytes(rest[_HEADER.size : body_at])
            if len(rest) < end:
                self._kind, self._head, self._missing = _KINDS[kind], head, end - len(rest)
                self._body.write(rest[body_at:])
                return
            yield Frame(_KINDS[kind], head, bytes(rest[body_at:end]))
            rest = rest[end:]
        self._begun = bytearray(rest)

    def _gathered(self) -> Frame:
        # `getvalue` copies nothing.
        frame = Frame(self._kind, self._head, self._body.getvalue())
        self._body = io.BytesIO()
        return frame

    def _check(self, kind: int, zero: int, head_len: int, body_len: int) -> None:
        if kind not in _KINDS or zero:
            raise ProtocolError(f"unknown frame kind {kind}")
        if head_len > HEAD_LIMIT_BYTES:
            raise ProtocolError(f"frame head of {head_len} bytes; at most {HEAD_LIMIT_BYTES} are taken")
        if body_len > self._body_limit:
            raise ProtocolError(f"frame body of {body_len} bytes; at most {self._body_limit} are taken")
