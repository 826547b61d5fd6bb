"""The exception by which a function of ``wasmedge_image`` fails and logs a message."""

from __future__ import annotations

__all__ = ["Refusal"]


class Refusal(Exception):
    """
    Return 1 to the guest. The message says what is wrong and what was expected.
    """
