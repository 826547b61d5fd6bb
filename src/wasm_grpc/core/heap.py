"""Let a process keep freed memory for its next request."""

from __future__ import annotations

import ctypes

from wasm_grpc.core.model import MIB

__all__ = ["keep_freed_memory"]

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
"""Parameters of ``mallopt(3)``."""
_KEPT_BYTES = 64 * MIB
_LARGEST_BYTES = 32 * MIB
"""Size up to which a block may come from kept memory: the most that glibc accepts (``mallopt(3)``)."""


def keep_freed_memory() -> None:
    """
    Keep up to some 64 MiB of freed memory in this process. This has an effect with glibc only.

    By default, glibc returns the memory of a large body to the kernel as soon as the request is over. The
    next request then takes a page fault for each page, which costs more than all copies of its body.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return
    mallopt(_M_MMAP_THRESHOLD, _LARGEST_BYTES)
    mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
