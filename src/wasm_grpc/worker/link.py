"""The worker's end of the socket to the server: blocking, one frame at a time."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence

from wasm_grpc.core.errors import ProtocolError
from wasm_grpc.core.model import KIB
from wasm_grpc.core.wire import Frame, FrameReader, Kind, pack
from wasm_grpc.hosts.wasi.streams import Stderr

__all__ = ["Link", "LinkStderr", "LinkStdin", "LinkStdout"]

_PIECE_BYTES = 256 * KIB
_UNBOUNDED = 1 << 62
"""The worker takes what its server sends: the server has checked the body's size."""


class Link:
    """
    Frames over a connected stream socket. Used by one thread.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._reader = FrameReader(body_limit=_UNBOUNDED)
        self._frames: Iterator[Frame] = iter(())

    def send(self, pieces: Sequence[bytes]) -> None:
        """
        Send one packed frame; blocks while the server does not read.
        """
        for piece in pieces:
            self._sock.sendall(piece)

    def receive(self) -> Frame | None:
        """
        Wait for the next frame; ``None`` when the server has closed the connection.

        Raises:
            ProtocolError: The peer broke the format.
        """
        while True:
            for frame in self._frames:
                return frame
            piece = self._sock.recv(_PIECE_BYTES)
            if not piece:
                return None
            self._frames = self._reader.feed(piece)


class LinkStdin:
    """
    Standard input of a streaming guest: each read asks the server for the next piece.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self._has_ended = False

    def read(self, limit: int) -> bytes:
        """
        Wait for at most `limit` bytes; empty at the end.
        """
        if self._has_ended or not limit:
            return b""
        self._link.send(pack(Kind.READ, limit.to_bytes(8, "little")))
        frame = self._link.receive()
        if frame is None or frame.kind is not Kind.INPUT:
            raise ProtocolError(f"{frame.kind.name if frame else 'end of stream'} where INPUT was expected")
        self._has_ended = not frame.body
        return frame.body


class LinkStdout:
    """
    Standard output of a streaming guest: sent as it is written, at the pace of its reader.
    """

    def __init__(self, link: Link) -> None:
        self._link = link

    def write(self, chunk: memoryview) -> None:
        """
        Send one chunk.
        """
        self._link.send(pack(Kind.OUTPUT, b"", bytes(chunk)))

    def collected(self) -> bytes:
        """
        Nothing: all was sent.
        """
        return b""


class LinkStderr(Stderr):
    """
    Standard error of a streaming guest: sent as it is written, its tail kept too.
    """

    def __init__(self, link: Link, limit_bytes: int) -> None:
        super().__init__(limit_bytes)
        self._link = link

    def write(self, chunk: memoryview) -> None:
        """
        Send one chunk and keep its tail.
        """
        super().write(chunk)
        self._link.send(pack(Kind.LOG, b"", bytes(chunk)))
