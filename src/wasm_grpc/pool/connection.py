"""The server's end of the socket to a worker."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import deque
from collections.abc import Callable, Sequence
from typing import cast

from wasm_grpc.core.errors import ProtocolError
from wasm_grpc.core.model import KIB
from wasm_grpc.core.wire import FrameReader, Message, Pieces, decode, encode

__all__ = ["Connection"]

_log = logging.getLogger(__name__)

_PIECE_BYTES = 256 * KIB
"""As many bytes as asyncio reads at a time."""


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
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """
        Read again.
        """
        if self._transport is not None:
            self._transport.resume_reading()

    async def receive(self) -> Message | None:
        """
        Wait for the next message; ``None`` when the connection has ended.

        Raises:
            ProtocolError: The peer broke the format, and is cut off.
        """
        message = await self._messages.get()
        if isinstance(message, ProtocolError):
            raise message
        return message

    def on_message(self, receiver: Callable[[Message], None]) -> None:
        """
        Hand every further message to this callable instead of `receive`.

        One that raises `ProtocolError` closes the connection.
        """
        self._on_message = receiver

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

    async def wait_lost(self, timeout_s: float) -> None:
        """
        Wait until the peer's last message was handed out, but not longer than `timeout_s`.
        """
        await asyncio.wait([self._lost], timeout=timeout_s)

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
        try:
            for frame in self._reader.feed(self._piece[:nbytes]):
                self._on_message(decode(frame))
        except ProtocolError as exc:
            _log.error("a worker sent what the wire does not allow, and is cut off: %s", exc)
            self._messages.put_nowait(exc)
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """
        See `asyncio.BufferedProtocol`.
        """
        self._messages.put_nowait(None)
        self._unsent.clear()
        self._has_room.set()
        if not self._lost.done():
            self._lost.set_result(None)

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
