"""A blocking source, read for an event loop on a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from queue import SimpleQueue

from wasm_grpc.client.messages import Piece
from wasm_grpc.client.source import Source

__all__ = ["Reading"]

_Wanted = asyncio.Future[Piece | None]


class Reading(AsyncIterator[Piece]):
    """
    The pieces of a source. Each is read when it is asked for, by one task of one loop.

    The thread is a daemon, and none of the loop's: a source that blocks for ever, such as a generator that
    nobody feeds, would keep the loop, and with it the interpreter, from ending.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._wanted: SimpleQueue[_Wanted | None] = SimpleQueue()
        self._has_started = False

    async def __anext__(self) -> Piece:
        if not self._has_started:
            self._has_started = True
            threading.Thread(target=self._read, name="wasm-grpc body", daemon=True).start()
        wanted: _Wanted = asyncio.get_running_loop().create_future()
        self._wanted.put(wanted)
        piece = await wanted
        if piece is None:
            raise StopAsyncIteration
        return piece

    def close(self) -> None:
        """
        Read no more, and end the wait for what comes next; may be called again.
        """
        self._source.stop()
        self._wanted.put(None)

    def _read(self) -> None:
        pieces = iter(self._source)
        while (wanted := self._wanted.get()) is not None:
            piece, failure = _next(pieces)
            # A loop that is closed needs it no more.
            with suppress(RuntimeError):
                wanted.get_loop().call_soon_threadsafe(_settle, wanted, piece, failure)


def _next(pieces: Iterator[Piece]) -> tuple[Piece | None, BaseException | None]:
    try:
        return next(pieces, None), None
    except BaseException as exc:  # noqa: BLE001 - raised where the piece is wanted
        return None, exc


def _settle(wanted: _Wanted, piece: Piece | None, failure: BaseException | None) -> None:
    if wanted.done():
        return
    if failure is None:
        wanted.set_result(piece)
    else:
        wanted.set_exception(failure)
