"""The process's own standard streams, where they are closed or can't be written."""

from __future__ import annotations

import contextlib
import errno
import os
import sys

__all__ = ["WRITE_ERRORS", "discard_what_can_not_be_written", "open_standard_streams"]

WRITE_ERRORS = frozenset({errno.EBADF, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENOSPC})
"""What a write to standard output fails with, but for EPIPE, which is nobody's fault."""


def open_standard_streams() -> None:
    """
    Occupy the descriptors 0 to 2 that are closed, in a way that lets writes fail.

    Else a file or socket that is opened next would have such a number, and what is printed would go there.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest free number is this one. To be read only: a write is EBADF, as it was.
            os.open(os.devnull, os.O_RDONLY)
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - for this process
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - for this process


def discard_what_can_not_be_written() -> None:
    """
    Drop what is left to write where that fails: the interpreter would complain of it once more at its end.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError):
                sink = os.open(os.devnull, os.O_WRONLY)
                os.dup2(sink, stream.fileno())
                os.close(sink)
