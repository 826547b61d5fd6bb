"""Set up a command's log lines."""

from __future__ import annotations

import logging
import os
import re
from typing import TextIO

from wasm_grpc.core.errors import ConfigError

__all__ = ["log_to"]

_LEVELS = ("debug", "info", "warning", "error")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""Line ends, terminal escapes and changes of text direction, which could forge or disguise a line."""


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
    Keeps each message on one line, since a guest or a caller may have written part of it.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the standard library's name
        """
        Escape control characters in the message. A traceback, which is appended later, keeps its lines.
        """
        return _CONTROL.sub(lambda found: repr(found[0])[1:-1], super().formatMessage(record))
