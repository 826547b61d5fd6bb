"""What a socket gives, cut into frames."""

from __future__ import annotations

import io
from collections.abc import Iterator

from wasm_grpc.core.errors import ProtocolError
from wasm_grpc.core.wire.frames import HEAD_LIMIT_BYTES, HEADER, Frame, Kind

__all__ = ["FrameReader"]

_KINDS = {int(kind): kind for kind in Kind}


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
        self._needed = HEADER.size
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
        self._needed = HEADER.size
        while len(rest) >= HEADER.size:
            kind, head_len, body_len = HEADER.unpack_from(rest)
            self._check(kind, head_len, body_len)
            body_at = HEADER.size + head_len
            end = body_at + body_len
            if len(rest) < body_at:
                self._needed = body_at
                break
            head = bytes(rest[HEADER.size : body_at])
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

    def _check(self, kind: int, head_len: int, body_len: int) -> None:
        if kind not in _KINDS:
            raise ProtocolError(f"unknown frame kind {kind}")
        if head_len > HEAD_LIMIT_BYTES:
            raise ProtocolError(f"frame head of {head_len} bytes; at most {HEAD_LIMIT_BYTES} are taken")
        if body_len > self._body_limit:
            raise ProtocolError(f"frame body of {body_len} bytes; at most {self._body_limit} are taken")
