"""Log lines written on a thread of their own."""

from __future__ import annotations

import contextlib
import copy
import logging
import logging.handlers
import queue
from collections.abc import Iterator
from typing import Any

__all__ = ["logging_in_background"]

_QUEUE_LINES = 10_000
"""Lines that wait to be written; what comes beyond is dropped and counted."""
_FLUSH_S = 2.0
"""The longest wait at the end for lines that whoever reads them does not take."""


@contextlib.contextmanager
def logging_in_background() -> Iterator[None]:
    """
    Write log lines on a thread of their own meanwhile: a slow terminal or disk must not hold up the loop.

    All that was logged is written at the end, unless nobody takes it.
    """
    logger = logging.getLogger("wasm_grpc")
    handlers = list(logger.handlers)
    lines: queue.Queue[Any] = queue.Queue(_QUEUE_LINES)
    listener = _Listener(lines, *handlers)
    logger.handlers[:] = [_Enqueuer(lines)]
    listener.start()
    try:
        yield
    finally:
        logger.handlers[:] = handlers
        listener.stop()


class _Enqueuer(logging.handlers.QueueHandler):
    """
    Hands lines over without waiting, and counts those for which there is no room.
    """

    def __init__(self, lines: queue.Queue[Any]) -> None:
        super().__init__(lines)
        self._dropped = 0

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """
        Fill in the message now, since its arguments may change; a traceback is left to the formatter.
        """
        record = copy.copy(record)
        record.msg, record.args = record.getMessage(), None
        return record

    def enqueue(self, record: logging.LogRecord) -> None:
        """
        Hand over one line, behind the number of those that were dropped before it.
        """
        try:
            if self._dropped:
                record.msg = f"({self._dropped} lines before this were dropped) {record.msg}"
            self.queue.put_nowait(record)
            self._dropped = 0
        except queue.Full:
            self._dropped += 1


class _Listener(logging.handlers.QueueListener):
    """
    Writes what is handed over; gives up at the end if nobody takes it.
    """

    def stop(self) -> None:
        """
        Write what is left.
        """
        thread, self._thread = self._thread, None
        if thread is not None:
            with contextlib.suppress(queue.Full):
                self.queue.put(self._sentinel, timeout=_FLUSH_S)  # type: ignore[attr-defined] # not in typeshed
                thread.join(_FLUSH_S)
