"""A line on a terminal that shows the progress of a streamed call."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import TextIO

from wasm_grpc.core.model import KIB, MIB

__all__ = ["Progress", "progress_line"]

_REDRAW_S = 0.25
_CLEAR = "\r\x1b[K"
"""Return to the start of the line and erase it (ECMA-48, EL)."""


class Progress:
    """
    A context that redraws the line while it is entered, and clears it at the end.

    Attributes:
        received: Bytes of the result so far. The caller counts them.
    """

    def __init__(self, terminal: TextIO, sent: Callable[[], int], *, is_shown: bool) -> None:
        """
        Prepare the line.

        Args:
            terminal: The terminal to draw on.
            sent: Returns the bytes of the body that have been read. Called on another thread.
            is_shown: If False, nothing is drawn.
        """
        self._terminal = terminal
        self._sent = sent
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._draw, daemon=True) if is_shown else None
        self.received = 0

    def __enter__(self) -> Progress:
        if self._thread is not None:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread is not None:
            self._is_over.set()
            self._thread.join()

    def _draw(self) -> None:
        start_s = time.monotonic()
        try:
            while not self._is_over.wait(_REDRAW_S):
                line = progress_line(self._sent(), self.received, time.monotonic() - start_s)
                self._show(_CLEAR + line[: os.get_terminal_size(self._terminal.fileno()).columns - 1])
            self._show(_CLEAR)
        except OSError:
            # The terminal has gone, but the call continues.
            return

    def _show(self, text: str) -> None:
        self._terminal.write(text)
        self._terminal.flush()


def progress_line(sent: int, received: int, elapsed_s: float) -> str:
    """
    Return the line: the bytes in each direction, and bytes per second.
    """
    return ", ".join(
        f"{word} {_size(count)} ({_size(count / elapsed_s)}/s)"
        for word, count in (("sent", sent), ("received", received))
    )


def _size(count: float) -> str:
    for unit, factor in (("GiB", KIB * MIB), ("MiB", MIB), ("KiB", KIB)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count:.0f} B"
