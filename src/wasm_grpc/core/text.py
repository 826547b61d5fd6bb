"""Text that others wrote, made fit for one line of a message or a log."""

from __future__ import annotations

__all__ = ["escaped", "one_line"]


def escaped(text: str) -> str:
    """
    Return a text as one printable line, with escape sequences for what can't be printed.
    """
    return text if text.isprintable() else repr(text)[1:-1]


def one_line(text: str) -> str:
    """
    Return a text as one printable line, with " | " between its own lines.
    """
    lines = (line.strip() for line in text.splitlines())
    return " | ".join(filter(None, ("".join(filter(str.isprintable, line)) for line in lines)))
