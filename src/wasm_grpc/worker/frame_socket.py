"""The worker's end of the socket to the server: blocking, one message at a time."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterator

from wasm_grpc.core.errors import ProtocolError
from wasm_grpc.core.model import KIB
from wasm_grpc.core.wire import (
    Frame,
    FrameReader,
    Input,
    Log,
    Message,
    Output,
    Read,
    Resume,
    Resumed,
    decode,
    encode,
)
from wasm_grpc.hosts.wasi.streams import Stderr, refuse_output

__all__ = ["FrameSocket", "SocketStderr", "SocketStdin", "SocketStdout"]

_PIECE_BYTES = 256 * KIB
_LONGEST_WAIT_MS = 1 << 30
"""`poll` takes no more than an int; a longer wait begins anew."""
_UNBOUNDED = 1 << 62
"""The worker takes what its server sends: the server has checked the body's size."""


class FrameSocket:
    """
    Messages over a connected stream socket. Used by one thread.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)
        self._reader = FrameReader(body_limit=_UNBOUNDED)
        self._frames: Iterator[Frame] = iter(())
        self._piece = memoryview(bytearray(_PIECE_BYTES))

    def send(self, message: Message) -> None:
        """
        Send one message; blocks while the server does not read.
        """
        pieces = encode(message)
        sent = self._sock.sendmsg(pieces)
        for piece in pieces:
            if sent < len(piece):
                # A signal came between: Linux sends all otherwise.
                self._sock.sendall(memoryview(piece)[sent:])
            sent = max(0, sent - len(piece))

    def receive(self) -> Message | None:
        """
        Wait for the next message; ``None`` when the server has closed the connection.

        Raises:
            ProtocolError: The peer broke the format.
        """
        while True:
            for frame in self._frames:
                return decode(frame)
            size = self._sock.recv_into(self._piece)
            if not size:
                return None
            self._frames = self._reader.feed(self._piece[:size])

    def receive_now(self) -> Message | None:
        """
        Return the next message if it has come already.

        Raises:
            ProtocolError: The peer broke the format.
        """
        while True:
            for frame in self._frames:
                return decode(frame)
            try:
                size = self._sock.recv_into(self._piece, 0, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return None
            if not size:
                # `receive` will meet the end again.
                return None
            self._frames = self._reader.feed(self._piece[:size])

    def wait(self, timeout_ns: int | None) -> bool:
        """
        Wait until something comes after what `receive_now` has returned; false if nothing did in time.
        """
        end_ns = None if timeout_ns is None else time.monotonic_ns() + timeout_ns
        while True:
            left_ms = _LONGEST_WAIT_MS
            if end_ns is not None:
                left_ms = min(left_ms, max(0, -(-(end_ns - time.monotonic_ns()) // 1_000_000)))
            if self._poll.poll(left_ms):
                return True
            if end_ns is not None and time.monotonic_ns() >= end_ns:
                return False


class SocketStdin:
    """
    Standard input of a streaming guest: what the server has sent, else what it is asked for.
    """

    def __init__(self, frames: FrameSocket) -> None:
        self._frames = frames
        self._piece = memoryview(b"")
        self._taken = 0
        self._has_ended = False

    def read(self, limit: int) -> memoryview:
        """
        See `Stdin.read`; blocks while the caller sends nothing.
        """
        if self.available() is None:
            self._frames.send(Read(limit, self._taken))
            self._take(self._frames.receive())
        chunk = self._piece[:limit]
        self._piece = self._piece[len(chunk) :]
        return chunk

    def available(self) -> int | None:
        """
        See `Stdin.available`.
        """
        if not self._piece and not self._has_ended and (message := self._frames.receive_now()) is not None:
            self._take(message)
        return len(self._piece) if self._piece or self._has_ended else None

    def wait(self, timeout_ns: int | None) -> None:
        """
        See `Stdin.wait`; the server lends the guest's run slot to others meanwhile.
        """
        if self.available() is not None:
            return
        self._frames.send(Read(0, self._taken))
        if self._frames.wait(timeout_ns):
            # The slot comes back with the input.
            self._take(self._frames.receive())
            return
        self._frames.send(Resume())
        while not isinstance(message := self._frames.receive(), Resumed):
            if message is None:
                return
            self._take(message)

    def _take(self, message: Message | None) -> None:
        if not isinstance(message, Input):
            raise ProtocolError(
                f"{message.kind.name if message else 'end of stream'} where INPUT was expected"
            )
        chunk = message.chunk
        self._taken += len(chunk)
        self._has_ended = not chunk
        # Two pieces may come while the guest waits for its slot.
        self._piece = memoryview(bytes(self._piece) + chunk) if self._piece else memoryview(chunk)


class SocketStdout:
    """
    Standard output of a streaming guest: sent as it is written, at the pace of its reader.
    """

    def __init__(self, frames: FrameSocket, limit_bytes: int | None) -> None:
        self._frames = frames
        self._limit_bytes = limit_bytes
        self._written = 0

    def write(self, chunk: memoryview) -> None:
        """
        See `Sink.write`; blocks while the caller takes nothing.

        Raises:
            GuestStop: All that was written is more than the limit.
        """
        self._written += len(chunk)
        if self._limit_bytes is not None and self._written > self._limit_bytes:
            raise refuse_output(self._limit_bytes)
        for at in range(0, len(chunk), _PIECE_BYTES):
            self._frames.send(Output(chunk[at : at + _PIECE_BYTES]))

    def collected(self) -> bytes:
        """
        Nothing: all was sent.
        """
        return b""


class SocketStderr(Stderr):
    """
    Standard error that is followed: sent as it is written, its tail kept too.
    """

    def __init__(self, frames: FrameSocket, limit_bytes: int) -> None:
        super().__init__(limit_bytes)
        self._frames = frames

    def write(self, chunk: memoryview) -> None:
        """
        Send one chunk and keep its tail.
        """
        super().write(chunk)
        self._frames.send(Log(chunk))
