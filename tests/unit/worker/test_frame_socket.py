"""The worker's streams over a real socket."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Iterator

import pytest

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


def test_a_long_write_goes_out_in_pieces(ends: tuple[socket.socket, socket.socket]) -> None:
    """However much a guest writes at once, no frame of its output is longer than 256 KiB."""
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


def test_reads_cut_what_came(ends: tuple[socket.socket, socket.socket]) -> None:
    """A read gives no more than it asked for, and no byte twice; after the end it gives nothing."""
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
