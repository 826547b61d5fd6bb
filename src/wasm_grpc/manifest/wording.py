"""Helpers for messages about user input: show a value, suggest a name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence

__all__ = ["closest", "enumerate_names", "kind_of", "listed", "shown"]

_SHOWN_LIMIT = 60
"""How many characters of a value a message shows."""

_INTEGER_BITS = 64
"""Size of TOML's integers. Python refuses to format much larger ones in decimal."""

_NAMES_LIMIT = 12
"""How many names a message lists. It only counts the rest."""

_COMPARED_LIMIT = 100
"""Longest name to look for typing errors in. Comparing longer ones is slow."""


def shown(value: object) -> str:
    """
    Return a value for a message: on one line, quoted if it is a string, cut if it is long.
    """
    # As in TOML: true, false.
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and value.bit_length() > _INTEGER_BITS:
        return "a number too large for TOML"
    text = value if isinstance(value, str) else str(value)
    cut = text if len(text) <= _SHOWN_LIMIT else text[:_SHOWN_LIMIT] + "…"
    return repr(cut) if isinstance(value, str) else cut


def kind_of(value: object) -> str:
    """
    Describe the type of a TOML value with its article, and show the value if it is short.
    """
    if isinstance(value, str):
        return f"{shown(value)} is a string"
    if isinstance(value, (bool, int, float)):
        kinds = {bool: "a boolean", int: "an integer", float: "a float"}
        return f"{shown(value)} is {kinds[type(value)]}"
    if isinstance(value, Mapping):
        return "it is a table"
    if isinstance(value, Sequence):
        return "it is an array"
    return f"{shown(value)} is a date or time"


def closest(name: str, known: Iterable[str]) -> str | None:
    """
    Return the known name that `name` most likely stands for, or None.
    """
    if len(name) > _COMPARED_LIMIT:
        return None
    return next(iter(difflib.get_close_matches(name, list(known), n=1)), None)


def enumerate_names(names: Iterable[str]) -> str:
    """
    Return names quoted and sorted. A long list ends with the number of further names.
    """
    ordered = sorted(names)
    quoted = [repr(name) for name in ordered[:_NAMES_LIMIT]]
    if len(ordered) > _NAMES_LIMIT:
        return ", ".join(quoted) + f" and {len(ordered) - _NAMES_LIMIT} more"
    return listed(quoted, "or")


def listed(texts: Sequence[str], conjunction: str) -> str:
    """
    Return texts as one: ``a, b or c``.
    """
    return f" {conjunction} ".join(filter(None, [", ".join(texts[:-1]), *texts[-1:]]))
