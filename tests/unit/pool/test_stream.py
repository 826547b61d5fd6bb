"""A stream's output between its worker and its caller: when no more is read, and what no worker may send."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from wasm_grpc.core.errors import ProtocolError
from wasm_grpc.core.model import MIB, Limits, Outcome
from wasm_grpc.pool.connection import Connection
from wasm_grpc.pool.lease import Lease
from wasm_grpc.pool.stream import CHUNK_BYTES, Stream

pytestmark = pytest.mark.asyncio

UNLIMITED = Limits(output_bytes=None)


class Pausing:
    """Stands for a connection of which only reading matters."""

    def __init__(self) -> None:
        self.reads = True

    def pause_reading(self) -> None:
        """See `Connection`."""
        self.reads = False

    def resume_reading(self) -> None:
        """See `Connection`."""
        self.reads = True


class Scene:
    """A stream that a worker runs; it is the slots too, and grants each as soon as it is asked for."""

    def __init__(self, limits: Limits = UNLIMITED) -> None:
        self.said: list[str] = []
        self.connection = Pausing()
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._lease = Lease(self)
        self.stream = Stream(outcome, limits, self._lease, stop=lambda *_: None)
        self._lease.on_held(self.stream.resumed)
        self._lease.take(1)
        self.stream.attach(cast(Connection, self.connection))

    def lend(self, worker: int) -> None:
        """See `Slots`."""
        self.said.append(f"lend {worker}")

    def reclaim(self, worker: int) -> None:
        """See `Slots`."""
        self.said.append(f"reclaim {worker}")
        self._lease.granted()

    def does_read(self) -> bool:
        """Say whether the worker is read from."""
        return self.connection.reads


@pytest.mark.parametrize("size", [1, 2, 64, 4096, 256 * 1024])
async def test_what_is_kept_is_bounded_whatever_its_pieces(size: int) -> None:
    """Reading stops at 1 MiB, what the pieces cost beside their bytes counted; all comes out in order."""
    scene = Scene()
    written = b""
    pieces = 0
    while scene.does_read():
        piece = bytes([pieces % 251]) * size
        scene.stream.written(piece)
        written += piece
        pieces += 1

    assert MIB - size - 64 <= len(written) + 64 * pieces <= MIB + size + 64
    assert scene.said == ["lend 1"]
    read = b""
    while len(read) < len(written):
        chunk = await scene.stream.receive()
        assert 0 < len(chunk) <= CHUNK_BYTES
        read += chunk
    assert read == written
    assert scene.does_read()
    assert scene.said == ["lend 1", "reclaim 1"]
    scene.stream.ended()


async def test_a_slot_that_comes_back_for_another_reason_reads_nothing_more() -> None:
    """A guest whose call to Dapr was answered has its slot back; its reader still has to take what it wrote."""
    scene = Scene()
    scene.stream.written(b"x" * 2 * MIB)

    scene.reclaim(1)
    assert not scene.does_read()

    while not scene.does_read():
        assert await scene.stream.receive()
    scene.stream.ended()


async def test_an_empty_frame_is_a_breach() -> None:
    """A worker that sends output without a byte is cut off: the caller would take it for the end."""
    scene = Scene()

    with pytest.raises(ProtocolError, match=r"^OUTPUT frame without output$"):
        scene.stream.written(b"")
    scene.stream.ended()


async def test_output_beyond_the_limit_is_a_breach() -> None:
    """A worker keeps its guest's limit; one that doesn't is cut off."""
    scene = Scene(Limits(output_bytes=3))
    scene.stream.written(b"abc")

    with pytest.raises(ProtocolError, match=r"^OUTPUT frame beyond the limit of its function$"):
        scene.stream.written(b"d")
    scene.stream.ended()


async def test_idle_time_runs_anew_with_another_worker() -> None:
    """A stream that rested too long with no guest to end still has its limit when another worker takes it."""
    scene = Scene(Limits(idle_timeout_s=0.01))
    ends: asyncio.Queue[str] = asyncio.Queue()
    scene.stream.start(lambda: ends.put_nowait("first"))
    assert await ends.get() == "first"

    scene.stream.start(lambda: ends.put_nowait("second"))

    assert await ends.get() == "second"
    scene.stream.ended()
