"""Split the bytes that arrive at a socket into frames."""

from __future__ import annotations

import io
from collections.abc import Iterator

from wasm_grpc.core.errors import ProtocolError
from wasm_grpc.core.wire.frames import HEAD_LIMIT_BYTES, HEADER, Frame, Kind

__all__ = ["FrameReader"]

_KINDS = {int(kind): kind for kind in Kind}
_HEADER_SIZE = HEADER.size
# These are looked up once, because every frame uses them. `tuple.__new__` makes a named tuple without a call
# of its own `__new__`, which is written in Python.
_unpack_header = HEADER.unpack_from
_new_frame = tuple.__new__


class FrameReader:
    """
    Splits received pieces into frames. It has no socket: the caller reads, and feeds it.

    The caller may overwrite a piece after taking its frames, since the reader copies what it keeps, once.
    A long body is collected as it arrives, so that its pieces need not be kept and joined.
    """

    __slots__ = ("_begun", "_body", "_body_limit", "_head", "_head_limit", "_kind", "_missing", "_needed")

    def __init__(self, *, body_limit: int) -> None:
        """
        Expect the first byte of a frame.

        Args:
            body_limit: Length of the longest body that is accepted, in bytes.
        """
        self._head_limit = HEAD_LIMIT_BYTES
        self._body_limit = body_limit
        # A partial header or head, and the length at which it can be read.
        self._begun = bytearray()
        self._needed = _HEADER_SIZE
        # A frame with a partial body, and the number of bytes that are missing.
        self._kind = Kind.HELLO
        self._head = b""
        self._body = io.BytesIO()
        self._missing = 0

    def limit(self, *, head_bytes: int, body_bytes: int) -> None:
        """
        Set the longest head and body of each frame that begins from now on.
        """
        self._head_limit = min(head_bytes, HEAD_LIMIT_BYTES)
        self._body_limit = body_bytes

    def feed(self, piece: bytes | memoryview) -> Iterator[Frame]:
        """
        Yield the frames that a piece completes. Take all of them before feeding the next piece.

        Raises:
            ProtocolError: The peer broke the format. Nothing may be fed after that.
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
            # Parse again only when enough has arrived: otherwise a head of n bytes that arrives byte by byte
            # would take n² steps.
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
            if kind is None or head_len > self._head_limit or body_len > self._body_limit:
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
        # `getvalue` shares the buffer, so the body is not copied.
        frame = Frame(self._kind, self._head, self._body.getvalue())
        self._body = io.BytesIO()
        return frame

    def _refusal(self, number: int, head_len: int, body_len: int) -> ProtocolError:
        if number not in _KINDS:
            return ProtocolError(f"frame: unknown kind {number}; expected 1 to {max(_KINDS)}")
        kind = _KINDS[number].name
        if head_len > self._head_limit:
            return ProtocolError(
                f"{kind} frame: head of {head_len} bytes; expected at most {self._head_limit}"
            )
        return ProtocolError(f"{kind} frame: body of {body_len} bytes; expected at most {self._body_limit}")
