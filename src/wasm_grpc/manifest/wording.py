"""Words that every message about what a person wrote shares: how a value is shown, which name was meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence

__all__ = ["closest", "enumerate_names", "kind_of", "shown"]

_SHOWN_LIMIT = 60
"""Characters of a value that a message repeats."""

_INTEGER_BITS = 64
"""Size of TOML's integers; Python refuses to write much larger ones in decimal."""

_NAMES_LIMIT = 12
"""Names that a message lists before it only counts."""

_COMPARED_LIMIT = 100
"""Characters beyond which a name is too long to be a slip of the pen, and too slow to compare."""


def shown(value: object) -> str:
    """
    Show a value in a message: on one line, quoted if it is text, cut if it is long.
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and value.bit_length() > _INTEGER_BITS:
        return "a number too large for TOML"
    text = value if isinstance(value, str) else str(value)
    cut = text if len(text) <= _SHOWN_LIMIT else text[:_SHOWN_LIMIT] + "…"
    return repr(cut) if isinstance(value, str) else cut


def kind_of(value: object) -> str:
    """
    Say what a TOML value is, with its article, repeating it where it is short.
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
    Return the one of `known` that was most likely meant by `name`, or None.
    """
    if len(name) > _COMPARED_LIMIT:
        return None
    return next(iter(difflib.get_close_matches(name, list(known), n=1)), None)


def enumerate_names(names: Iterable[str]) -> str:
    """
    List names in quotes, sorted; a long list ends with how many more there are.
    """
    ordered = sorted(names)
    quoted = [repr(name) for name in ordered[:_NAMES_LIMIT]]
    if len(ordered) > _NAMES_LIMIT:
        return ", ".join(quoted) + f" and {len(ordered) - _NAMES_LIMIT} more"
    return " or ".join(filter(None, [", ".join(quoted[:-1]), *quoted[-1:]]))
