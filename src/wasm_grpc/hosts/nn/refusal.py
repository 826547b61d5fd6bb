"""How a function of wasi-nn answers with an errno from deep within, and with a sentence for the log."""

from __future__ import annotations

__all__ = ["Refusal"]


class Refusal(Exception):
    """
    The function answers with this errno; the text says what is wrong and what was expected.
    """

    def __init__(self, errno: int, sentence: str) -> None:
        super().__init__(sentence)
        self.errno = errno
