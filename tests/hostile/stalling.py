"""Callers that stall, in plain HTTP/2: messages that begin and never end."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from wasm_grpc.core.model import KIB, MIB

__all__ = ["StalledCall", "stall"]

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RESET, _SETTINGS, _PING, _WINDOW_UPDATE = 0, 1, 3, 4, 6, 8
_ACK, _END_STREAM, _END_HEADERS = 1, 1, 4
_WINDOW_BYTES = 65_535
_FRAME_BYTES = 16 * KIB


def _frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def _header(name: str, value: str) -> bytes:
    """Encode a header as HPACK's literal without indexing."""
    return b"\0" + b"".join(bytes((len(text),)) + text.encode() for text in (name, value))


def _request(method: str, token: str) -> bytes:
    headers = {
        ":method": "POST",
        ":scheme": "http",
        ":path": method,
        ":authority": "localhost",
        "content-type": "application/grpc",
        "te": "trailers",
    }
    if token:
        headers["dapr-api-token"] = token
    return b"".join(_header(name, value) for name, value in headers.items())


class StalledCall(asyncio.Protocol):
    """
    Sends as much of a message as the server's windows let it, and keeps the connection open.

    Attributes:
        has_ended: The server has answered.
    """

    def __init__(self, method: str, token: str, size: int) -> None:
        self._request = _request(method, token)
        self._left = memoryview(struct.pack(">BI", 0, size + 1) + bytes(size))
        self._buffer = b""
        self._windows = {0: _WINDOW_BYTES, 1: _WINDOW_BYTES}
        self.has_ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(_PREFACE + _frame(_SETTINGS, 0, 0) + _frame(_HEADERS, _END_HEADERS, 1, self._request))
        self._send()

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        self._buffer += data
        while len(self._buffer) >= 9:
            size = int.from_bytes(self._buffer[:3], "big")
            if len(self._buffer) < 9 + size:
                return
            kind, flags = self._buffer[3:5]
            stream = int.from_bytes(self._buffer[5:9], "big")
            payload, self._buffer = self._buffer[9 : 9 + size], self._buffer[9 + size :]
            self._take(kind, flags, stream, payload)

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == _SETTINGS and not flags & _ACK:
            for number, value in struct.iter_unpack(">HI", payload):
                if number == 4:
                    self._windows[1] += value - _WINDOW_BYTES
            self._transport.write(_frame(_SETTINGS, _ACK, 0))
        elif kind == _PING and not flags & _ACK:
            self._transport.write(_frame(_PING, _ACK, 0, payload))
        elif kind == _RESET or (kind == _HEADERS and flags & _END_STREAM):
            self.has_ended = True
        elif kind == _WINDOW_UPDATE and stream in self._windows:
            self._windows[stream] += int.from_bytes(payload, "big")
        self._send()

    def _send(self) -> None:
        while self._left and (room := min(*self._windows.values(), _FRAME_BYTES)) > 0:
            piece, self._left = self._left[:room], self._left[room:]
            self._windows = {stream: window - len(piece) for stream, window in self._windows.items()}
            self._transport.write(_frame(_DATA, 0, 1, bytes(piece)))


@asynccontextmanager
async def stall(
    host: str, port: int, method: str, *, calls: int, token: str = "", size: int = 4 * MIB
) -> AsyncIterator[list[StalledCall]]:
    """Make so many calls, each on a connection of its own, whose messages lack their last byte."""
    loop = asyncio.get_running_loop()
    opened = []
    try:
        for _ in range(calls):
            opened.append(await loop.create_connection(lambda: StalledCall(method, token, size), host, port))  # noqa: PERF401 - what is open is closed
        yield [protocol for _, protocol in opened]
    finally:
        for transport, _ in opened:
            transport.abort()
