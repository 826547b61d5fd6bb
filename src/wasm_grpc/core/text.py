"""Text that others wrote, made fit for one line of a message or a log."""

from __future__ import annotations

__all__ = ["one_line"]


def one_line(text: str) -> str:
    """
    Return a text as one printable line, with " | " between its own lines.
    """
    lines = (line.strip() for line in text.splitlines())
    return " | ".join(filter(None, ("".join(filter(str.isprintable, line)) for line in lines)))
