"""Read a blocking source on a separate thread, for an event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from queue import SimpleQueue

from wasm_grpc.client.messages import Piece
from wasm_grpc.client.source import Source

__all__ = ["Reading"]

_Request = asyncio.Future[Piece | None]


class Reading(AsyncIterator[Piece]):
    """
    The pieces of a source. Each is read on demand, for one task of one loop.

    The thread is a daemon and not one of the loop's executor: otherwise a source that blocks forever, such
    as a generator that gets no input, would prevent the loop, and thus the interpreter, from ending.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._requests: SimpleQueue[_Request | None] = SimpleQueue()
        self._has_started = False

    async def __anext__(self) -> Piece:
        if not self._has_started:
            self._has_started = True
            threading.Thread(target=self._read, name="wasm-grpc body", daemon=True).start()
        wanted: _Request = asyncio.get_running_loop().create_future()
        self._requests.put(wanted)
        piece = await wanted
        if piece is None:
            raise StopAsyncIteration
        return piece

    def close(self) -> None:
        """
        Stop reading, and end a wait for the next piece. May be called twice.
        """
        self._source.stop()
        self._requests.put(None)

    def _read(self) -> None:
        pieces = iter(self._source)
        while (wanted := self._requests.get()) is not None:
            piece, failure = _next(pieces)
            # Ignore a loop that has been closed meanwhile.
            with suppress(RuntimeError):
                wanted.get_loop().call_soon_threadsafe(_settle, wanted, piece, failure)


def _next(pieces: Iterator[Piece]) -> tuple[Piece | None, BaseException | None]:
    try:
        return next(pieces, None), None
    except BaseException as exc:  # noqa: BLE001 - raised in the task that waits for the piece
        return None, exc


def _settle(wanted: _Request, piece: Piece | None, failure: BaseException | None) -> None:
    if wanted.done():
        return
    if failure is None:
        wanted.set_result(piece)
    else:
        wanted.set_exception(failure)
