"""Where log lines of a command go, and in what form."""

from __future__ import annotations

import logging
import os
from typing import TextIO

from wasm_grpc.core.errors import ConfigError

__all__ = ["log_to"]

_LEVELS = ("debug", "info", "warning", "error")


def log_to(stream: TextIO, default: str = "info") -> None:
    """
    Log to a stream from ``WASM_GRPC_LOG`` upwards (debug, info, warning or error).

    Raises:
        ConfigError: The variable holds something else.
    """
    level = os.environ.get("WASM_GRPC_LOG", default).lower()
    if level not in _LEVELS:
        raise ConfigError(f"WASM_GRPC_LOG: got {level!r}; expected {', '.join(_LEVELS)}")
    formatter = logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S")
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    logger = logging.getLogger("wasm_grpc")
    logger.handlers[:] = [handler]
    logger.setLevel(level.upper())
    logger.propagate = False
