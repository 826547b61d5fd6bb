"""The server's end of the socket, with a peer that takes its time."""

from __future__ import annotations

import asyncio
import socket

import pytest

from wasm_grpc.core.model import KIB, MIB
from wasm_grpc.core.wire import FrameReader, Input, Invoke, Message, decode
from wasm_grpc.pool.connection import Connection

__all__: list[str] = []

pytestmark = pytest.mark.asyncio


async def test_long_and_short_frames_arrive_in_their_order() -> None:
    """A body far beyond what the socket holds, and a frame behind it, come out whole, also after a close."""
    ours, theirs = socket.socketpair()
    connection = await Connection.open(ours, body_limit=MIB)
    messages: list[Message] = [Invoke(0, b"", bytes(range(256)) * 40 * KIB), Input(b"more")]

    for message in messages:
        connection.send(message)
    was_full = connection.is_full
    connection.close()
    received = await asyncio.to_thread(_received, theirs)

    assert was_full
    assert received == messages


async def test_a_full_connection_has_room_once_its_peer_has_read() -> None:
    """Who waits for room goes on when the long frame before has gone."""
    ours, theirs = socket.socketpair()
    connection = await Connection.open(ours, body_limit=MIB)
    connection.send(Invoke(0, b"", bytes(4 * MIB)))

    reading = asyncio.create_task(asyncio.to_thread(_received, theirs))
    await connection.wait_room()
    connection.send(Input(b"more"))
    connection.close()

    assert await reading == [Invoke(0, b"", bytes(4 * MIB)), Input(b"more")]


async def test_messages_that_are_sent_together() -> None:
    """Short ones arrive in one piece, long ones arrive too, and all of them in order."""
    short = [Invoke(0, b"", b"x" * size) for size in (0, 1, 20 * KIB)]
    long = [Invoke(0, b"", b"x" * size) for size in (1, MIB, 2)]
    ours, theirs = socket.socketpair()
    connection = await Connection.open(ours, body_limit=MIB)

    connection.send_all(short)
    first = list(map(decode, FrameReader(body_limit=MIB).feed(theirs.recv(64 * KIB))))
    reading = asyncio.create_task(asyncio.to_thread(_received, theirs))
    connection.send_all(long)
    connection.close()

    assert first == short
    assert await reading == long


def _received(sock: socket.socket) -> list[Message]:
    """Return every message up to the end."""
    reader = FrameReader(body_limit=16 * MIB)
    messages: list[Message] = []
    with sock:
        while piece := sock.recv(64 * KIB):
            messages += map(decode, reader.feed(piece))
    return messages
