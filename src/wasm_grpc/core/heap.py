"""How much freed memory a process keeps for its next request."""

from __future__ import annotations

import ctypes

from wasm_grpc.core.model import MIB

__all__ = ["keep_freed_memory"]

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
"""Parameters of mallopt(3)."""
_KEPT_BYTES = 64 * MIB
_LARGEST_BYTES = 32 * MIB
"""Of one block that comes from what is kept; glibc takes no more."""


def keep_freed_memory() -> None:
    """
    Keep what is freed, up to some 64 MiB; nothing changes where the C library isn't glibc.

    By itself glibc gives the memory of a large body back to the kernel as soon as its request is over, and
    the next request pays for each of its pages anew: that costs more than all copies of a body together.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return
    mallopt(_M_MMAP_THRESHOLD, _LARGEST_BYTES)
    mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
