"""Text that others wrote, made fit for one line of a message or a log."""

from __future__ import annotations

__all__ = ["LOG_LINE_CHARACTERS", "escaped", "json_values", "log_line", "one_line"]

LOG_LINE_CHARACTERS = 8192
"""The longest line of a log: twice the longest that a guest may write."""

_JSON_MARKS = (b"[", b"{", b",", b":")
"""One comes before each value of a JSON text but the outermost. There may be more in its strings."""


def escaped(text: str) -> str:
    """
    Return a text as one printable line, with escape sequences for what can't be printed.

    Line ends, terminal escapes, invisible characters and changes of text direction could forge or disguise a
    line; none of them can be printed.
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def log_line(text: str) -> str:
    """
    Return a text as one printable line of a log, whose end is left out if it is too long.

    A line that this has returned stays as it is.
    """
    # Cut first: escaping may make a long text ten times as long.
    line = escaped(text[: LOG_LINE_CHARACTERS + 1])
    if len(line) <= LOG_LINE_CHARACTERS:
        return line
    more = f"… ({len(text)} characters)"
    return line[: LOG_LINE_CHARACTERS - len(more)] + more


def json_values(text: bytes) -> int:
    """
    Return how many values a JSON text may have, at most.

    Python's parser holds up all threads. Its time depends on this number more than on the text's length.
    """
    return sum(map(text.count, _JSON_MARKS)) + 1


def one_line(text: str) -> str:
    """
    Return a text as one printable line, with " | " between its own lines.
    """
    lines = (line.strip() for line in text.splitlines())
    return " | ".join(filter(None, ("".join(filter(str.isprintable, line)) for line in lines)))
