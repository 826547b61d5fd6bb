"""The worker's end of the socket: send and receive messages, and stream a guest's input and output."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterator

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
    out_of_place,
)
from wasm_grpc.hosts.wasi.streams import Stderr, refuse_output

__all__ = ["FrameSocket", "SocketStderr", "SocketStdin", "SocketStdout"]

_PIECE_BYTES = 256 * KIB
_LONGEST_WAIT_MS = 1 << 30
"""Below the largest timeout of ``poll(2)``, which is an int. A longer wait polls again."""
_UNBOUNDED = 1 << 62
"""The worker needs no limit on bodies: it trusts the server, which has checked their size."""


class FrameSocket:
    """
    A connected stream socket that carries messages. It blocks, and only one thread may use it.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)
        self._reader = FrameReader(body_limit=_UNBOUNDED)
        self._frames: Iterator[Frame] = iter(())
        self._piece = memoryview(bytearray(_PIECE_BYTES))

    def close(self) -> None:
        """
        Close this process's end.
        """
        self._sock.close()

    def send(self, message: Message) -> None:
        """
        Send a message. This blocks while the server does not read.
        """
        pieces = encode(message)
        sent = self._sock.sendmsg(pieces)
        for piece in pieces:
            if sent < len(piece):
                # A signal interrupted the write. Otherwise Linux writes everything to a blocking socket.
                self._sock.sendall(memoryview(piece)[sent:])
            sent = max(0, sent - len(piece))

    def receive(self) -> Message | None:
        """
        Wait for the next message; return ``None`` if the server has closed the connection.

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
        Return the next message if it has already arrived, else ``None``.

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
                # The connection is closed, which the next `receive` reports.
                return None
            self._frames = self._reader.feed(self._piece[:size])

    def wait(self, timeout_ns: int | None) -> bool:
        """
        Wait until more can be received. Call this after `receive_now` has returned ``None``.

        Args:
            timeout_ns: Longest wait, in nanoseconds; ``None`` means no limit.

        Returns:
            False if nothing arrived in time.
        """
        end_ns = None if timeout_ns is None else time.monotonic_ns() + timeout_ns
        while True:
            left_ms = _LONGEST_WAIT_MS
            if end_ns is not None:
                # Rounded up: a guest that sleeps must not be woken too early.
                left_ms = min(left_ms, max(0, -(-(end_ns - time.monotonic_ns()) // 1_000_000)))
            if self._poll.poll(left_ms):
                return True
            if end_ns is not None and time.monotonic_ns() >= end_ns:
                return False


class SocketStdin:
    """
    Standard input of a streaming guest. It asks the server for input only if none has arrived.
    """

    def __init__(self, frames: FrameSocket) -> None:
        self._frames = frames
        self._piece = memoryview(b"")
        self._taken = 0
        self._has_ended = False

    def read(self, limit: int) -> memoryview:
        """
        See `Stdin.read`. This blocks while the caller sends nothing.
        """
        if self.available() is None:
            self._frames.send(Read(limit, self._taken))
            self.take(self._frames.receive())
        chunk = self._piece[:limit]
        self._piece = self._piece[len(chunk) :]
        return chunk

    def available(self) -> int | None:
        """
        See `Stdin.available`.
        """
        if not self._piece and not self._has_ended and (message := self._frames.receive_now()) is not None:
            self.take(message)
        return len(self._piece) if self._piece or self._has_ended else None

    def wait(self, timeout_ns: int | None) -> None:
        """
        See `Stdin.wait`. Meanwhile the server lends the guest's run slot to another guest.
        """
        if self.available() is not None:
            return
        self._frames.send(Read(0, self._taken))
        if self._frames.wait(timeout_ns):
            # With input, the server has also given the slot back.
            self.take(self._frames.receive())
            return
        # Without input, the guest may go on once the server has a free slot. Input may arrive before that.
        self._frames.send(Resume())
        while not isinstance(message := self._frames.receive(), Resumed):
            if message is None:
                return
            self.take(message)

    def take(self, message: Message | None) -> None:
        """
        Keep input for later reads.

        Raises:
            ProtocolError: The message is none.
        """
        if not isinstance(message, Input):
            raise out_of_place(message, "INPUT")
        chunk = message.chunk
        self._taken += len(chunk)
        self._has_ended = not chunk
        # Several pieces may arrive while the guest waits for its slot.
        self._piece = memoryview(bytes(self._piece) + chunk) if self._piece else memoryview(chunk)


class SocketStdout:
    """
    Standard output of a streaming guest. Each write is sent at once, and waits for a slow reader.
    """

    def __init__(self, frames: FrameSocket, limit_bytes: int | None) -> None:
        self._frames = frames
        self._limit_bytes = limit_bytes
        self._written = 0

    def write(self, chunk: memoryview) -> None:
        """
        See `Sink.write`. This blocks while the caller does not read.

        Raises:
            GuestStop: The guest has written more than its limit.
        """
        self._written += len(chunk)
        if self._limit_bytes is not None and self._written > self._limit_bytes:
            raise refuse_output(self._limit_bytes)
        for at in range(0, len(chunk), _PIECE_BYTES):
            self._frames.send(Output(chunk[at : at + _PIECE_BYTES]))

    def collected(self) -> bytes:
        """
        Return nothing, because everything has been sent.
        """
        return b""


class SocketStderr(Stderr):
    """
    Standard error of a guest whose log is followed. Each write is sent, and the end is also kept.
    """

    def __init__(self, frames: FrameSocket, limit_bytes: int) -> None:
        super().__init__(limit_bytes)
        self._frames = frames

    def write(self, chunk: memoryview) -> None:
        """
        Keep a chunk, as far as the limit allows, and send it.
        """
        super().write(chunk)
        self._frames.send(Log(chunk))
