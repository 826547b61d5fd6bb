"""The handles by which a guest names what it has opened, none of which another instance's guest can guess."""

from __future__ import annotations

import os
from typing import Final, TypeVar

__all__ = ["HANDLES_LIMIT", "Handles", "TooManyHandlesError"]

HANDLES_LIMIT: Final = 256
"""Limit on open handles of one instance and host module. It bounds the memory that they take."""

_FIRST_LIMIT: Final = 1 << 30
"""Handles count up from a random number below this, so that no guest can guess another instance's handles."""

_Opened = TypeVar("_Opened")


class TooManyHandlesError(Exception):
    """
    The instance has `HANDLES_LIMIT` handles open.
    """


class Handles:
    """
    What one instance has opened, by handle. A handle is never 0, and is not used again.
    """

    __slots__ = ("_next", "_opened")

    def __init__(self) -> None:
        # By handle: the thing, and what it belongs to.
        self._opened: dict[int, tuple[object, object]] = {}
        self._next = 0

    def add(self, opened: object, *, owner: object = None) -> int:
        """
        Return the handle of something new.

        Args:
            opened: The new thing.
            owner: What it belongs to: it is closed with that.

        Raises:
            TooManyHandlesError: Others have to be closed first.
        """
        if len(self._opened) >= HANDLES_LIMIT:
            raise TooManyHandlesError
        # Chosen on first use: most instances never need one.
        self._next = self._next + 1 if self._next else _first_handle()
        self._opened[self._next] = opened, owner
        return self._next

    def get(self, handle: int, kind: type[_Opened]) -> _Opened | None:
        """
        Return what this instance has opened under a handle; ``None`` if that is nothing of this kind.
        """
        opened, _ = self._opened.get(handle, (None, None))
        return opened if isinstance(opened, kind) else None

    def close(self, closed: object) -> None:
        """
        Forget something, and all that belongs to it.
        """
        self._opened = {
            handle: (opened, owner)
            for handle, (opened, owner) in self._opened.items()
            if opened is not closed and owner is not closed
        }


def _first_handle() -> int:
    # Of a power of two, so each is as likely; `secrets` would cost every worker's start 3 ms.
    return 1 + int.from_bytes(os.urandom(4), "little") % _FIRST_LIMIT
