"""The exception by which a function of wasi-nn returns an errno and logs a message."""

from __future__ import annotations

__all__ = ["Refusal"]


class Refusal(Exception):
    """
    Return an errno to the guest. The message says what is wrong and what was expected.
    """

    def __init__(self, errno: int, sentence: str) -> None:
        super().__init__(sentence)
        self.errno = errno
