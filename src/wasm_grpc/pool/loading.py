"""
Which functions each worker has loaded, and which it loads now.

Theory of operation. A worker answers its LOAD messages in the order they were sent, so of those without an
answer the first is the one that it works on.

Nothing here waits or does I/O.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from wasm_grpc.core.errors import ProtocolError

__all__ = ["Loading"]


@dataclass(slots=True)
class _Worker:
    loaded: set[int]
    unanswered: deque[int] = field(default_factory=deque)


class Loading:
    """
    The record of one server's workers; functions are named by their index in the messages.
    """

    def __init__(self) -> None:
        self._workers: dict[int, _Worker] = {}

    def add(self, worker: int, loaded: Iterable[int] = ()) -> None:
        """
        Begin the record of a worker, with what its template had loaded.
        """
        self._workers[worker] = _Worker(set(loaded))

    def is_loaded(self, worker: int, index: int) -> bool:
        """
        Return whether the worker has loaded the function, or was told to.
        """
        found = self._workers[worker]
        return index in found.loaded or index in found.unanswered

    def sent(self, worker: int, index: int) -> None:
        """
        Note a LOAD message that was sent.
        """
        self._workers[worker].unanswered.append(index)

    def current(self, worker: int) -> int | None:
        """
        Return the function that the worker loads now; ``None`` where it has answered all.
        """
        unanswered = self._workers[worker].unanswered
        return unanswered[0] if unanswered else None

    def has_loaded(self, worker: int, index: int) -> bool:
        """
        Return whether the worker says that it has loaded the function.
        """
        return index in self._workers[worker].loaded

    def answered(self, worker: int, index: int, *, is_loaded: bool) -> None:
        """
        Note the answer to a LOAD message.

        Raises:
            ProtocolError: No such message was sent, it has its answer, or another is to be answered first.
        """
        found = self._workers[worker]
        if not found.unanswered or found.unanswered[0] != index:
            raise ProtocolError("LOADED frame: it answers no LOAD; expected the answer to the oldest LOAD")
        found.unanswered.popleft()
        if is_loaded:
            found.loaded.add(index)

    def lost(self, worker: int) -> int | None:
        """
        Forget a worker; return the function that it was loading.
        """
        unanswered = self._workers.pop(worker).unanswered
        return unanswered[0] if unanswered else None
