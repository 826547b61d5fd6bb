"""
The server's end of the socket to a worker.

Theory of operation. A worker may have been taken over, and then send anything at any rate, which must cost
nobody else anything. So each turn of the event loop hands out a few messages only. The rest waits, and no
more is read before it is handed out. Nor is more read while many messages wait for `receive`. A message
that the protocol does not allow ends the connection, and the worker with it (`on_breach`).
"""

from __future__ import annotations

import array
import asyncio
import fcntl
import logging
import socket
import termios
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import cast

from wasm_grpc.core.errors import ProtocolError
from wasm_grpc.core.model import KIB
from wasm_grpc.core.wire import Frame, FrameReader, Message, Pieces, decode, encode

__all__ = ["Connection", "unread_bytes"]

_log = logging.getLogger(__name__)

_PIECE_BYTES = 256 * KIB
"""As many bytes as asyncio reads at a time."""
_TURN_FRAMES = 16
"""Frames that are handed out in one turn of the event loop, which takes some 0.2 ms then."""
_DRAIN_PAUSE_S = 0.002
_WAITING_MESSAGES = 64
"""Messages that may wait for `receive`: no process sends more than two that were not asked for."""


class Connection(asyncio.BufferedProtocol):
    """
    Messages over one connected stream socket. Used on the event loop's thread only; made by `open`.
    """

    def __init__(self, *, body_limit: int) -> None:
        """
        Expect the peer's first message.

        Args:
            body_limit: The longest frame body that is taken from the peer.
        """
        self._reader = FrameReader(body_limit=body_limit)
        self._piece = memoryview(bytearray(_PIECE_BYTES))
        self._transport: asyncio.Transport | None = None
        self._messages: asyncio.Queue[Message | ProtocolError | None] = asyncio.Queue()
        self._on_message: Callable[[Message], None] = self._messages.put_nowait
        self._lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # The frames of the last piece that are not handed out yet.
        self._frames: Iterator[Frame] = iter(())
        self._has_frames = False
        self._received_bytes = 0
        self._is_held = False
        self._is_reading = True
        self._on_breach: Callable[[], None] | None = None
        self._has_room = asyncio.Event()
        self._has_room.set()
        self._unsent: deque[memoryview] = deque()

    @classmethod
    async def open(cls, sock: socket.socket, *, body_limit: int) -> Connection:
        """
        Take over a connected socket.
        """
        sock.setblocking(False)  # noqa: FBT003 - the standard library's own signature
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(lambda: cls(body_limit=body_limit), sock=sock)
        return connection

    def send(self, message: Message) -> None:
        """
        Write one message; on a closed connection nothing happens.
        """
        self.send_encoded(encode(message))

    def send_all(self, messages: Sequence[Message]) -> None:
        """
        Write several messages. They share a system call, unless they are long.
        """
        pieces = tuple(piece for message in messages for piece in encode(message))
        is_short = sum(map(len, pieces)) <= _PIECE_BYTES
        self.send_encoded((b"".join(pieces),) if is_short else pieces)

    def send_encoded(self, pieces: Pieces) -> None:
        """
        Write what `encode` made of a message, which may be sent to many.
        """
        transport = self._transport
        if transport is not None and not transport.is_closing():
            self._unsent += map(memoryview, pieces)
            self._write(transport)

    def limit_frames(self, *, head_bytes: int, body_bytes: int) -> None:
        """
        Set the longest head and body of the frames that are taken from the peer from now on.
        """
        self._reader.limit(head_bytes=head_bytes, body_bytes=body_bytes)

    @property
    def is_full(self) -> bool:
        """
        Whether so much waits to be written that nothing more should be sent.
        """
        return not self._has_room.is_set()

    @property
    def is_closed(self) -> bool:
        """
        Whether it has ended, or is about to.
        """
        return self._transport is None or self._transport.is_closing()

    async def wait_room(self) -> None:
        """
        Wait until it is no longer full, or has ended.
        """
        await self._has_room.wait()

    def pause_reading(self) -> None:
        """
        Stop reading, so that the peer has to wait once the socket is full.
        """
        self._is_held = True
        self._read_or_pause()

    def resume_reading(self) -> None:
        """
        Read again.
        """
        self._is_held = False
        self._read_or_pause()

    async def receive(self) -> Message | None:
        """
        Wait for the next message; ``None`` when the connection has ended.

        Raises:
            ProtocolError: The peer broke the format, and is cut off.
        """
        message = await self._messages.get()
        self._read_or_pause()
        if isinstance(message, ProtocolError):
            raise message
        return message

    def on_message(self, receiver: Callable[[Message], None]) -> None:
        """
        Hand every further message to this callable instead of `receive`.

        One that raises `ProtocolError` closes the connection.
        """
        self._on_message = receiver

    def on_breach(self, receiver: Callable[[], None]) -> None:
        """
        Call back when the peer has broken the format or the protocol, besides closing the connection.
        """
        self._on_breach = receiver

    def on_lost(self, receiver: Callable[[], None]) -> None:
        """
        Call back once the connection has ended, whoever ended it.
        """
        self._lost.add_done_callback(lambda _: receiver())

    def close(self) -> None:
        """
        Close it once what was written is sent.
        """
        if self._transport is not None:
            while self._unsent:
                self._transport.write(self._unsent.popleft())
            self._transport.close()

    def abort(self) -> None:
        """
        Close it at once.
        """
        if self._transport is not None:
            self._transport.abort()

    async def drain(self, timeout_s: float) -> None:
        """
        Hand out all messages that have arrived from a peer that has ended; wait no longer than `timeout_s`.

        A connection may outlast its peer: another process may have the peer's end too.
        """
        loop = asyncio.get_running_loop()
        end_s = loop.time() + timeout_s
        left = self._received_bytes + (0 if self._transport is None else unread_bytes(self._transport))
        while not self._lost.done() and loop.time() < end_s:
            if self._received_bytes >= left and not self._has_frames:
                break
            await asyncio.wait([self._lost], timeout=_DRAIN_PAUSE_S)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """
        See `asyncio.BufferedProtocol`.
        """
        # Not `isinstance`: uvloop's transports have the same methods, but another class.
        self._transport = cast(asyncio.Transport, transport)

    def pause_writing(self) -> None:
        """
        See `asyncio.BufferedProtocol`.
        """
        self._has_room.clear()

    def resume_writing(self) -> None:
        """
        See `asyncio.BufferedProtocol`.
        """
        self._has_room.set()
        if self._transport is not None:
            self._write(self._transport)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's signature
        """
        See `asyncio.BufferedProtocol`.
        """
        return self._piece

    def buffer_updated(self, nbytes: int) -> None:
        """
        See `asyncio.BufferedProtocol`.
        """
        self._received_bytes += nbytes
        self._frames = self._reader.feed(self._piece[:nbytes])
        self._hand_out()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """
        See `asyncio.BufferedProtocol`.
        """
        self._messages.put_nowait(None)
        self._unsent.clear()
        self._has_room.set()
        if not self._lost.done():
            self._lost.set_result(None)

    def _hand_out(self) -> None:
        """
        Hand out what the last piece has completed, and no more than may be in one turn.
        """
        left = _TURN_FRAMES
        self._has_frames = False
        try:
            for frame in self._frames:
                self._on_message(decode(frame))
                left -= 1
                if not left:
                    self._has_frames = True
                    asyncio.get_running_loop().call_soon(self._go_on)
                    break
        except ProtocolError as exc:
            _log.error("a worker sent what the wire does not allow, and is ended: %s", exc)
            self._messages.put_nowait(exc)
            self.abort()
            if self._on_breach is not None:
                self._on_breach()
            return
        if not self._is_reading or self._has_frames or self._messages.qsize():
            self._read_or_pause()

    def _go_on(self) -> None:
        if not self.is_closed:
            self._hand_out()

    def _read_or_pause(self) -> None:
        """
        Read only if the last piece is handed out, few messages wait, and the owner wants more.
        """
        reads = not (self._is_held or self._has_frames or self._messages.qsize() >= _WAITING_MESSAGES)
        if self._transport is None or reads is self._is_reading:
            return
        self._is_reading = reads
        if reads:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def _write(self, transport: asyncio.Transport) -> None:
        """
        Write only what the transport takes at once: CPython 3.11's copies the rest of a long body twice.
        """
        unsent = self._unsent
        while unsent and self._has_room.is_set():
            piece = unsent.popleft()
            if len(piece) > _PIECE_BYTES:
                unsent.appendleft(piece[_PIECE_BYTES:])
                piece = piece[:_PIECE_BYTES]
            transport.write(piece)


def unread_bytes(transport: asyncio.BaseTransport) -> int:
    """
    Return how many bytes have arrived at a transport's socket or pipe that it hasn't read; 0 if it is closed.
    """
    source = transport.get_extra_info("socket") or transport.get_extra_info("pipe")
    count = array.array("i", [0])
    try:
        fcntl.ioctl(source.fileno(), termios.FIONREAD, count)
    except (OSError, ValueError):
        return 0
    return count[0]
