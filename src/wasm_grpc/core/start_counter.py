"""The shared memory in which a worker counts the guests that it has started."""

from __future__ import annotations

import mmap

__all__ = ["StartCounter"]


class StartCounter:
    """
    Counts the guests that a worker has started, in memory that it shares with the server.

    If a worker dies, the server reads here which invocation it had started last. Those behind it can run on
    another worker. A frame for this would cost every invocation a system call.
    Only the worker writes, and only the server reads.
    """

    SIZE = 8
    """Size of the memory in bytes: one u64 in native byte order."""

    def __init__(self, memory: mmap.mmap) -> None:
        # A view stores and loads all 8 bytes at once. `struct.pack_into` sets them to 0 first, and the server
        # may read while the worker counts the next guest of a batch.
        self._memory = memory
        self._view = memoryview(memory).cast("Q")
        self._count = 0

    def begin(self) -> None:
        """
        Count a guest. Call this before the guest starts.
        """
        self._count += 1
        self._view[0] = self._count

    def count(self) -> int:
        """
        Return how many guests the worker has started. This also works after the worker has died.
        """
        if not self._memory.closed:
            self._count = self._view[0]
        return self._count

    def close(self) -> None:
        """
        Free the memory once the worker has died. `count` still returns the last count.
        """
        self.count()
        self._view.release()
        self._memory.close()
