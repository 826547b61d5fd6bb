"""
Which functions each worker has loaded, and which function to blame when loading one ends a worker.

Theory of operation. A worker answers its LOAD frames in the order they were sent, so of those without an
answer the first is the one that it loads now. A worker that dies, or exceeds its time, takes that function
as the cause. One death may be chance (somebody killed the process), so it counts only from the second on; a
time-out counts at once. A function that counts as the cause is *blocked*: for `BLOCKED_S` no worker loads
it, its calls are refused with the reason, and all others are served. Then the next call tries it once more.

Nothing here waits or does I/O.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from wasm_grpc.core.errors import ProtocolError

__all__ = ["BLOCKED_S", "Loading"]

BLOCKED_S = 30.0
"""A worker is lost for each further try, and what is wrong with a function seldom mends itself."""
_DEATHS = 2


@dataclass(slots=True)
class _Worker:
    loaded: set[int] = field(default_factory=set)
    unanswered: deque[int] = field(default_factory=deque)


@dataclass(slots=True)
class _Blame:
    deaths: int = 0
    reason: str = ""
    until_s: float = 0.0


class Loading:
    """
    The record of one server's workers; functions are named by their index in the frames.
    """

    def __init__(self) -> None:
        self._workers: dict[int, _Worker] = {}
        self._blames: dict[int, _Blame] = {}

    def add(self, worker: int) -> None:
        """
        Know a worker that has loaded nothing.
        """
        self._workers[worker] = _Worker()

    def is_loaded(self, worker: int, index: int) -> bool:
        """
        Return whether the worker has loaded the function, or was told to.
        """
        found = self._workers[worker]
        return index in found.loaded or index in found.unanswered

    def sent(self, worker: int, index: int) -> None:
        """
        Note a LOAD frame that was sent.
        """
        self._workers[worker].unanswered.append(index)

    def current(self, worker: int) -> int | None:
        """
        Return the function that the worker loads now; ``None`` where it has answered all.
        """
        unanswered = self._workers[worker].unanswered
        return unanswered[0] if unanswered else None

    def answered(self, worker: int, index: int, *, is_loaded: bool) -> bool:
        """
        Note the answer to a LOAD frame; return false for one that was answered before.

        Raises:
            ProtocolError: No such frame was sent, or another is to be answered first.
        """
        found = self._workers[worker]
        if not found.unanswered or found.unanswered[0] != index:
            if index in found.loaded:
                return False
            raise ProtocolError("answer to a LOAD that was not sent")
        found.unanswered.popleft()
        if is_loaded:
            found.loaded.add(index)
            self._blames.pop(index, None)
        return True

    def lost(self, worker: int) -> int | None:
        """
        Forget a worker; return the function that it was loading.
        """
        unanswered = self._workers.pop(worker).unanswered
        return unanswered[0] if unanswered else None

    def blame_death(self, index: int, reason: str, now_s: float) -> None:
        """
        Note that a worker died while it loaded the function.
        """
        blame = self._blames.setdefault(index, _Blame())
        blame.deaths += 1
        if blame.deaths >= _DEATHS:
            self._block(blame, reason, now_s)

    def blame_delay(self, index: int, reason: str, now_s: float) -> None:
        """
        Note that a worker took too long to load the function.
        """
        self._block(self._blames.setdefault(index, _Blame()), reason, now_s)

    def blocked(self, index: int, now_s: float) -> str:
        """
        Return why no worker loads the function for now; "" where one may.
        """
        blame = self._blames.get(index)
        return blame.reason if blame is not None and now_s < blame.until_s else ""

    def _block(self, blame: _Blame, reason: str, now_s: float) -> None:
        blame.reason = reason
        blame.until_s = now_s + BLOCKED_S
