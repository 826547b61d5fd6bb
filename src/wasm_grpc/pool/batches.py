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
"""How long a batch should take. It delays the next invocation for the same run slot by as much."""
_LONGEST = 16
"""The largest batch: beyond it, what each invocation saves is less than the noise of a measurement."""
_RISE = 0.25
"""How much of a longer duration counts. A shorter one counts in full: only the function makes it short, but a
busy machine makes it long."""


class BatchSizes:
    """
    The sizes of one server's batches, by function.
    """

    def __init__(self) -> None:
        self._averages_s: dict[str, float] = {}

    def size(self, function: str) -> int:
        """
        Return how many invocations of a function may travel together: at least one.
        """
        average_s = self._averages_s.get(function, _BATCH_S)
        return max(1, min(_LONGEST, int(_BATCH_S / average_s)))

    def took(self, function: str, durations_s: Sequence[float]) -> None:
        """
        Note how long each invocation of a batch occupied its worker, in seconds.
        """
        if durations_s:
            latest_s = sum(durations_s) / len(durations_s)
            average_s = self._averages_s.get(function, latest_s)
            average_s = min(latest_s, average_s + _RISE * (latest_s - average_s))
            # Not 0, by which `size` divides.
            self._averages_s[function] = max(average_s, 1e-6)
