"""The log as an observer: what guests say on standard error, and workers that are lost while idle."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Final

from wasm_grpc.core.model import KIB, Reason
from wasm_grpc.core.observers import Event, InvocationFinished, WorkerLost
from wasm_grpc.core.settings import Settings
from wasm_grpc.pool.process import exit_text

__all__ = ["LogObserver", "open_log_observer"]

_LOGGED_LINES = 100
"""Of what a guest wrote to standard error, for each invocation: the last ones."""
_LOGGED_LINE_BYTES = 4 * KIB

_invocations = logging.getLogger("wasm_grpc.invocation")
_workers = logging.getLogger("wasm_grpc.pool")


class LogObserver:
    """
    An `Observer` that writes log lines.
    """

    wants: Final[frozenset[type[Event]]] = frozenset({InvocationFinished, WorkerLost})

    def observe(self, event: Event) -> None:
        """
        See `Observer.observe`.
        """
        if isinstance(event, InvocationFinished):
            _log_stderr(event)
        elif isinstance(event, WorkerLost) and event.was_idle and event.exit_code:
            _workers.warning("idle worker %d ended with %s", event.worker, exit_text(event.exit_code))


@contextlib.asynccontextmanager
async def open_log_observer(_: Settings) -> AsyncIterator[LogObserver]:
    """
    Open a `LogObserver`, which every server has.
    """
    yield LogObserver()


def _log_stderr(event: InvocationFinished) -> None:
    """
    Log what a guest said while all went well; of a failure it is in the error that its caller gets.
    """
    outcome = event.outcome
    if not outcome.stderr or outcome.reason is not Reason.OK or not _invocations.isEnabledFor(logging.INFO):
        return
    where = (event.function, event.invocation_id)
    left_out, lines = _last_lines(outcome.stderr)
    if left_out:
        _invocations.info("function '%s' (invocation %s): … %d earlier lines omitted", *where, left_out)
    for line in lines:
        text = line[:_LOGGED_LINE_BYTES].decode("utf-8", "replace").rstrip("\r")
        more = "…" if len(line) > _LOGGED_LINE_BYTES else ""
        _invocations.info("function '%s' (invocation %s): %s%s", *where, text, more)


def _last_lines(stderr: bytes) -> tuple[int, list[bytes]]:
    """
    Return the number of omitted lines, and the lines to log.
    """
    lines = stderr.rstrip(b"\r\n").rsplit(b"\n", _LOGGED_LINES)
    if len(lines) <= _LOGGED_LINES:
        return 0, lines
    return lines[0].count(b"\n") + 1, lines[1:]
