"""The shared memory in which a worker counts the guests that it has started."""

from __future__ import annotations

import mmap
import struct

__all__ = ["StartCounter"]

_COUNT = struct.Struct("<Q")


class StartCounter:
    """
    Counts the guests that a worker has started, in memory that it shares with the server.

    If a worker dies, the server reads here whether the guest of its last invocation had started. If not,
    another worker can run the invocation. A frame for this would cost every invocation a system call.
    Only the worker writes, and only the server reads.
    """

    SIZE = _COUNT.size
    """Size of the memory in bytes: one little-endian u64."""

    def __init__(self, memory: mmap.mmap) -> None:
        self._memory = memory
        self._count = 0

    def begin(self) -> None:
        """
        Count a guest. Call this before the guest starts.
        """
        self._count += 1
        _COUNT.pack_into(self._memory, 0, self._count)

    def count(self) -> int:
        """
        Return how many guests the worker has started. This also works after the worker has died.
        """
        if not self._memory.closed:
            (self._count,) = _COUNT.unpack_from(self._memory)
        return self._count

    def close(self) -> None:
        """
        Give the memory back, once the worker has died; `count` returns its last count from then on.
        """
        self.count()
        self._memory.close()
