"""The C library of this process, for calls that Python has no function for."""

from __future__ import annotations

import ctypes
import functools
import os

__all__ = ["call_system", "libc"]


@functools.cache
def libc() -> ctypes.CDLL:
    """
    Return the C library. It is opened once: what is forked afterwards has it open.
    """
    return ctypes.CDLL(None, use_errno=True)


def call_system(number: int, *arguments: int | bytes | None) -> int:
    """
    Make a system call for which the C library has no function, and return its result.

    Raises:
        OSError: The kernel refuses it.
    """
    result = int(libc().syscall(number, *arguments))
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result
