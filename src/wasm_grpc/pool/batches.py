"""
How many invocations of a function travel to a worker as one batch.

Theory of operation. A worker can't give back what it was sent, and its run slot serves nobody else until it
has run the whole batch. So a batch is bounded by time: it has as many invocations as took `_BATCH_S` lately.
A slow function, and one of which nothing is known yet, has batches of one.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["BatchSizes"]

_BATCH_S = 0.005
"""How long a batch should take. An invocation that waits for its run slot waits longer by as much."""
_LONGEST = 16
"""The largest batch, however fast the function is."""
_RISE = 2
"""From batch to batch, a function's duration may fall to any value, but only double: a busy machine makes a
batch take longer, and nothing makes it take less."""


class BatchSizes:
    """
    The sizes of one server's batches, by function.
    """

    def __init__(self) -> None:
        self._durations_s: dict[str, float] = {}

    def size(self, function: str) -> int:
        """
        Return how many invocations of a function may travel together: at least one.
        """
        duration_s = self._durations_s.get(function, _BATCH_S)
        return max(1, min(_LONGEST, int(_BATCH_S / duration_s)))

    def took(self, function: str, durations_s: Sequence[float]) -> None:
        """
        Note how long each invocation of a batch occupied its worker, in seconds.
        """
        if durations_s:
            mean_s = sum(durations_s) / len(durations_s)
            last_s = self._durations_s.get(function, mean_s)
            # Not 0, by which `size` divides.
            self._durations_s[function] = max(min(mean_s, _RISE * last_s), 1e-6)
