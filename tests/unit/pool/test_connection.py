"""The server's end of the socket, with a peer that takes its time."""

from __future__ import annotations

import asyncio
import socket

import pytest

from wasm_grpc.core.model import KIB, MIB
from wasm_grpc.core.wire import Frame, FrameReader, Kind, pack
from wasm_grpc.pool.connection import Connection

__all__: list[str] = []

pytestmark = pytest.mark.asyncio


async def test_long_and_short_frames_arrive_in_their_order() -> None:
    """A body far beyond what the socket holds, and a frame behind it, come out whole, also after a close."""
    ours, theirs = socket.socketpair()
    connection = await Connection.open(ours, body_limit=MIB)
    frames = [Frame(Kind.INVOKE, b"", bytes(range(256)) * 40 * KIB), Frame(Kind.INPUT, b"", b"more")]

    for frame in frames:
        connection.send(pack(frame.kind, frame.head, frame.body))
    was_full = connection.is_full
    connection.close()
    received = await asyncio.to_thread(_received, theirs)

    assert was_full
    assert received == frames


async def test_a_full_connection_has_room_once_its_peer_has_read() -> None:
    """Who waits for room goes on when the long frame before has gone."""
    ours, theirs = socket.socketpair()
    connection = await Connection.open(ours, body_limit=MIB)
    connection.send(pack(Kind.INVOKE, b"", bytes(4 * MIB)))

    reading = asyncio.create_task(asyncio.to_thread(_received, theirs))
    await connection.wait_room()
    connection.send(pack(Kind.INPUT, b"", b"more"))
    connection.close()

    assert [len(frame.body) for frame in await reading] == [4 * MIB, 4]


def _received(sock: socket.socket) -> list[Frame]:
    """Return every frame up to the end."""
    reader = FrameReader(body_limit=16 * MIB)
    frames: list[Frame] = []
    with sock:
        while piece := sock.recv(64 * KIB):
            frames += reader.feed(piece)
    return frames
