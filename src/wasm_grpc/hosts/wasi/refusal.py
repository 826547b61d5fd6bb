"""How a WASI function answers with an errno from deep within."""

from __future__ import annotations

__all__ = ["Refusal"]


class Refusal(Exception):
    """
    The function answers with this errno.
    """

    def __init__(self, errno: int) -> None:
        super().__init__(errno)
        self.errno = errno
