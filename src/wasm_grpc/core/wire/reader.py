"""What a socket gives, cut into frames."""

from __future__ import annotations

import io
from collections.abc import Iterator

from wasm_grpc.core.errors import ProtocolError
from wasm_grpc.core.wire.frames import HEAD_LIMIT_BYTES, HEADER, Frame, Kind

__all__ = ["FrameReader"]

_KINDS = {int(kind): kind for kind in Kind}
_HEADER_SIZE = HEADER.size
# Bound once, as every frame takes them; the second is a named tuple's own without a call in Python.
_unpack_header = HEADER.unpack_from
_new_frame = tuple.__new__


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
        self._needed = _HEADER_SIZE
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
        view = memoryview(piece)
        if self._missing:
            taken = self._body.write(view[: self._missing])
            self._missing -= taken
            if self._missing:
                return
            view = view[taken:]
            yield self._gathered()
        if self._begun:
            # Tried again only once it is enough: a peer may send it byte by byte.
            self._begun += view
            if len(self._begun) < self._needed:
                return
            view = memoryview(bytes(self._begun))
            self._begun.clear()
            self._needed = _HEADER_SIZE
        at, size = 0, len(view)
        while size - at >= _HEADER_SIZE:
            number, head_len, body_len = _unpack_header(view, at)
            kind = _KINDS.get(number)
            if kind is None or head_len > HEAD_LIMIT_BYTES or body_len > self._body_limit:
                raise self._refusal(number, head_len, body_len)
            head_at = at + _HEADER_SIZE
            body_at = head_at + head_len
            if size < body_at:
                self._needed = body_at - at
                break
            head = view[head_at:body_at].tobytes() if head_len else b""
            at = body_at + body_len
            if size < at:
                self._kind, self._head, self._missing = kind, head, at - size
                self._body.write(view[body_at:])
                return
            yield _new_frame(Frame, (kind, head, view[body_at:at].tobytes()))
        if at < size:
            self._begun += view[at:]

    def _gathered(self) -> Frame:
        # `getvalue` copies nothing.
        frame = Frame(self._kind, self._head, self._body.getvalue())
        self._body = io.BytesIO()
        return frame

    def _refusal(self, number: int, head_len: int, body_len: int) -> ProtocolError:
        if number not in _KINDS:
            return ProtocolError(f"unknown frame kind {number}")
        if head_len > HEAD_LIMIT_BYTES:
            return ProtocolError(f"frame head of {head_len} bytes; at most {HEAD_LIMIT_BYTES} are taken")
        return ProtocolError(f"frame body of {body_len} bytes; at most {self._body_limit} are taken")
