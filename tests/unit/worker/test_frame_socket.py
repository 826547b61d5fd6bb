"""A streaming guest's input and output over a real socket."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Iterator

import pytest

from wasm_grpc.core.errors import ProtocolError
from wasm_grpc.core.model import KIB, MIB
from wasm_grpc.core.wire import Frame, FrameReader, Input, Kind, encode
from wasm_grpc.worker.frame_socket import FrameSocket, SocketStdin, SocketStdout


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends of a connection."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(10)
        theirs.settimeout(10)
        yield ours, theirs


def read_all(end: socket.socket, into: list[Frame]) -> None:
    """Read frames until the other end closes."""
    reader = FrameReader(body_limit=1 << 30)
    while piece := end.recv(64 * KIB):
        into.extend(reader.feed(piece))


def test_a_long_write_is_sent_in_several_frames(ends: tuple[socket.socket, socket.socket]) -> None:
    """Each frame has at most 256 KiB of output, however much a guest writes at once."""
    ours, theirs = ends
    body = random.Random(1).randbytes(3 * MIB + 1)
    frames: list[Frame] = []
    reader = threading.Thread(target=read_all, args=(ours, frames))
    reader.start()

    SocketStdout(FrameSocket(theirs), None).write(memoryview(body))
    theirs.shutdown(socket.SHUT_WR)
    reader.join(10)

    assert {frame.kind for frame in frames} == {Kind.OUTPUT}
    assert b"".join(frame.body for frame in frames) == body
    assert max(len(frame.body) for frame in frames) == 256 * KIB


def test_reads_return_every_byte_once(ends: tuple[socket.socket, socket.socket]) -> None:
    """A read returns at most as much as it asks for, from one INPUT; after the end it returns nothing."""
    ours, theirs = ends
    for piece in (b"abcdefgh", b"i", b""):
        ours.sendall(b"".join(encode(Input(piece))))
    stdin = SocketStdin(FrameSocket(theirs))

    assert [bytes(stdin.read(limit)) for limit in (3, 4, 5, 6, 7, 8)] == [
        b"abc",
        b"defg",
        b"h",
        b"i",
        b"",
        b"",
    ]


def test_a_read_from_a_closed_connection(ends: tuple[socket.socket, socket.socket]) -> None:
    """If the server closes the connection while a guest waits for input, the read is a protocol error."""
    ours, theirs = ends
    ours.shutdown(socket.SHUT_WR)

    with pytest.raises(ProtocolError, match=r"^connection: closed; expected INPUT$"):
        SocketStdin(FrameSocket(theirs)).read(1)
