"""Set up a command's log lines."""

from __future__ import annotations

import logging
import os
from typing import Any, TextIO

from wasm_grpc.core.errors import ConfigError
from wasm_grpc.core.text import log_line

__all__ = ["log_to"]

_LEVELS = ("debug", "info", "warning", "error")
_TRACEBACK_LINES = 100
_INDENT = "  "
"""Before each line of a traceback, so that none looks like a line of the log."""


def log_to(stream: TextIO, default: str = "info") -> None:
    """
    Log to a stream, from the level in ``WASM_GRPC_LOG`` up (debug, info, warning or error).

    Raises:
        ConfigError: The variable holds something else.
    """
    level = os.environ.get("WASM_GRPC_LOG", default).lower()
    if level not in _LEVELS:
        raise ConfigError(f"WASM_GRPC_LOG: got {level!r}; expected {', '.join(_LEVELS)}")
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_OneLine("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S"))
    logger = logging.getLogger("wasm_grpc")
    logger.handlers[:] = [handler]
    logger.setLevel(level.upper())
    logger.propagate = False


class _OneLine(logging.Formatter):
    """
    Keeps each message on one line of a limited length, since a guest, worker or caller may have written it.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the standard library's name
        """
        Escape and shorten the message.
        """
        record.message = log_line(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the standard library's name
        """
        Return a traceback, which keeps its lines, the last ones if they are many.
        """
        lines = super().formatException(ei).splitlines()[-_TRACEBACK_LINES:]
        return "\n".join(_INDENT + log_line(line) for line in lines)
