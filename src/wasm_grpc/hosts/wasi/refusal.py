"""The exception by which a WASI function returns an errno."""

from __future__ import annotations

__all__ = ["Refusal"]


class Refusal(Exception):
    """
    Return an errno to the guest.
    """

    def __init__(self, errno: int) -> None:
        super().__init__(errno)
        self.errno = errno
