"""Track the calls whose response has not been sent yet, so that a stopping server can wait for them."""

from __future__ import annotations

import asyncio
import functools
import itertools

from wasm_grpc.server.failures import Context

__all__ = ["Answers"]


class Answers:
    """
    The unanswered calls of one server. Use it on the event loop's thread only.
    """

    def __init__(self) -> None:
        self._numbers = itertools.count()
        # Insertion order is the order in which the calls began.
        self._open: dict[int, None] = {}
        self._one_was_sent = asyncio.Event()

    def expect(self, context: Context) -> None:
        """
        Track a call until its status has been sent or its caller is gone.
        """
        number = next(self._numbers)
        self._open[number] = None
        done = functools.partial(self._sent, number)
        context.add_done_callback(done)  # type: ignore[arg-type] # the stubs declare another class of context

    async def settled(self) -> None:
        """
        Wait until every call that has begun by now is answered. Later calls are not waited for.
        """
        # Numbers only grow, so a number below this one belongs to a call that began earlier.
        last = next(self._numbers)
        while self._open and next(iter(self._open)) < last:
            self._one_was_sent.clear()
            await self._one_was_sent.wait()

    def _sent(self, number: int, _context: object) -> None:
        del self._open[number]
        self._one_was_sent.set()
