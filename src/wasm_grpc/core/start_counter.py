"""The shared memory in which a worker counts the guests that it began."""

from __future__ import annotations

import mmap
import struct

__all__ = ["StartCounter"]

_COUNT = struct.Struct("<Q")


class StartCounter:
    """
    Counts the guests that a worker began, in memory that it shares with the server.

    When a worker dies the server reads here whether the invocation it had sent was begun: if not,
    another worker can take it. A frame that said so would cost every invocation a system call.
    The worker alone writes, the server alone reads.
    """

    SIZE = _COUNT.size
    """Bytes of the memory: one little-endian u64."""

    def __init__(self, memory: mmap.mmap) -> None:
        self._memory = memory
        self._count = 0

    def begin(self) -> None:
        """
        Count one more guest, before it begins.
        """
        self._count += 1
        _COUNT.pack_into(self._memory, 0, self._count)

    def count(self) -> int:
        """
        Return how many guests the worker began; the worker may be dead.
        """
        (count,) = _COUNT.unpack_from(self._memory)
        return int(count)
