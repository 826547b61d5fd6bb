"""The server's end of the socket, with a peer that takes its time."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import pytest

from wasm_grpc.core.model import KIB, MIB
from wasm_grpc.core.wire import FrameReader, Input, Invoke, Loaded, Message, decode, encode
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


async def test_many_messages_are_handed_out_in_turns() -> None:
    """Whatever has arrived, other work of the event loop is done after a few messages of one connection."""
    ours, theirs = socket.socketpair()
    connection = await Connection.open(ours, body_limit=MIB)
    received: list[Message] = []
    connection.on_message(received.append)
    theirs.sendall(b"".join(packed(Loaded(number)) for number in range(1000)))
    taken, before = [], 0

    while len(received) < 1000:
        await asyncio.sleep(0)
        taken.append(len(received) - before)
        before = len(received)

    assert received == [Loaded(number) for number in range(1000)]
    assert max(taken) <= 16
    connection.abort()
    theirs.close()


async def test_messages_that_nobody_waits_for() -> None:
    """No more is read while some wait, so a flood stops at its sender; all of them come in the end."""
    ours, theirs = socket.socketpair()
    connection = await Connection.open(ours, body_limit=MIB)
    frame = packed(Loaded(0))
    sent = 0

    for _ in range(10_000):
        with contextlib.suppress(BlockingIOError):
            sent += theirs.send(frame * 1000, socket.MSG_DONTWAIT)
        await asyncio.sleep(0)

    # The buffer of the socket, and one piece here.
    assert sent < 2 * MIB
    for _ in range(sent // len(frame)):
        assert await asyncio.wait_for(connection.receive(), 5) == Loaded(0)
    connection.abort()
    theirs.close()


async def test_a_breach_is_told() -> None:
    """Whoever owns the peer learns at once that it has broken the format."""
    ours, theirs = socket.socketpair()
    connection = await Connection.open(ours, body_limit=MIB)
    told = asyncio.Event()
    connection.on_breach(told.set)

    theirs.sendall(b"\xff" * 16)

    await asyncio.wait_for(told.wait(), 5)
    assert connection.is_closed
    theirs.close()


def packed(message: Message) -> bytes:
    """Return the frame of a message."""
    return b"".join(encode(message))


def _received(sock: socket.socket) -> list[Message]:
    """Return every message up to the end."""
    reader = FrameReader(body_limit=16 * MIB)
    messages: list[Message] = []
    with sock:
        while piece := sock.recv(64 * KIB):
            messages += map(decode, reader.feed(piece))
    return messages
