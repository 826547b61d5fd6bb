"""Which apps are not called for now, because a function has waited for one of them in vain."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

__all__ = ["PAUSE_S", "Pauses"]

PAUSE_S: Final = 30.0
"""How long a function's calls to an app are not made. One of its calls waits in vain each time."""

_IN_VAIN: Final = 0.8
"""The share of the limit that a call has to take. daprd knows the deadline, and gives up a little sooner."""


class Pauses:
    """
    The apps that a function doesn't call for now.

    Only functions with ``limits.dapr_timeout`` have any: they rather go on than wait. A sidecar looks for an
    app that doesn't run for 2 s in each call if it resolves names by mDNS.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """
        Begin without any.

        Args:
            clock: Returns the time in seconds.
        """
        self._clock = clock
        # As many as there are grants, since a call needs one.
        self._end_s: dict[tuple[str, str], float] = {}

    def is_paused(self, function: str, app_id: str) -> bool:
        """
        Return whether a function doesn't call an app for now.
        """
        return self._clock() < self._end_s.get((function, app_id), 0.0)

    def failed(self, function: str, app_id: str, *, took_s: float, limit_s: float | None) -> None:
        """
        Take note of a call that failed, and begin a pause if it waited in vain.

        Args:
            function: The function.
            app_id: The app that it called.
            took_s: How long the call took, in seconds.
            limit_s: The function's ``limits.dapr_timeout``.
        """
        if limit_s is not None and took_s >= _IN_VAIN * limit_s:
            self._end_s[function, app_id] = self._clock() + PAUSE_S
