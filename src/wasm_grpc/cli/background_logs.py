"""Write log lines on a separate thread."""

from __future__ import annotations

import contextlib
import copy
import logging
import logging.handlers
import queue
from collections.abc import Iterator
from typing import Any

from wasm_grpc.core.text import log_line

__all__ = ["logging_in_background"]

_QUEUE_LINES = 10_000
"""How many lines may wait to be written. Further ones are dropped and counted."""
_FLUSH_S = 2.0
"""Longest wait at the end for waiting lines, if the reader of standard error is stuck."""


@contextlib.contextmanager
def logging_in_background() -> Iterator[None]:
    """
    Write log lines on a separate thread, so that a slow terminal or disk doesn't block the event loop.

    On exit all waiting lines are written, unless the reader is stuck.
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
    Puts lines into the queue without waiting, and counts those that are dropped.
    """

    def __init__(self, lines: queue.Queue[Any]) -> None:
        super().__init__(lines)
        self._dropped = 0

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """
        Format the message now, since its arguments may change. The formatter adds a traceback later.

        It is shortened now too, since many lines may wait.
        """
        record = copy.copy(record)
        record.msg, record.args = log_line(record.getMessage()), None
        return record

    def enqueue(self, record: logging.LogRecord) -> None:
        """
        Put a line into the queue. If lines were dropped before it, prefix it with their number.
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
    Writes the queued lines, and gives up at the end if the reader is stuck.
    """

    def stop(self) -> None:
        """
        Write the remaining lines.
        """
        thread, self._thread = self._thread, None
        if thread is not None:
            with contextlib.suppress(queue.Full):
                self.queue.put(self._sentinel, timeout=_FLUSH_S)  # type: ignore[attr-defined] # not in typeshed
                thread.join(_FLUSH_S)
