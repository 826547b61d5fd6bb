"""Handle standard streams that are closed or can't be written."""

from __future__ import annotations

import contextlib
import errno
import os
import sys

__all__ = ["WRITE_ERRORS", "discard_what_can_not_be_written", "open_standard_streams"]

WRITE_ERRORS = frozenset({errno.EBADF, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENOSPC})
"""Errors of a write to standard output that are reported. EPIPE is not: its reader just stopped."""


def open_standard_streams() -> None:
    """
    Open those of the descriptors 0 to 2 that are closed, so that writes to them fail.

    Otherwise the next file or socket would get such a number, and printed output would go there.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest free number is this one. Read-only, so that a write still fails with EBADF.
            os.open(os.devnull, os.O_RDONLY)
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - for this process
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - for this process


def discard_what_can_not_be_written() -> None:
    """
    Discard buffered output that can't be written. Otherwise the interpreter would report it again at exit.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError):
                sink = os.open(os.devnull, os.O_WRONLY)
                os.dup2(sink, stream.fileno())
                os.close(sink)
