"""Names in the Itanium C++ ABI's mangling, which Rust's legacy mangling is a form of."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["path_of"]

_PREFIX: Final = re.compile(r"_Z(?P<nested>N[rVKRO]*)?L?")
_LENGTH: Final = re.compile(r"[1-9][0-9]{0,3}")
_SUBSTITUTION: Final = re.compile(r"S[0-9A-Z]*_|S[tabsiod]|T[0-9]*_")
_ARRAY: Final = re.compile(r"A[0-9]*_")
_LITERAL: Final = re.compile(r"L[^_E][^E]*E")
_OPENERS: Final = frozenset("INXJF")
"""Begin what an ``E`` ends: template arguments, nested names, expressions, packs, function types."""
_CONSTRUCTOR: Final = re.compile(r"[CD][0-5]")
_TAG: Final = re.compile(r"B([1-9][0-9]{0,3})")
"""An ABI tag, which libc++ gives to most of its functions."""


def path_of(name: str) -> list[str] | None:
    """
    Return the parts of a function's path, without template arguments and types; None for any other name.

    Source: the Itanium C++ ABI, section 5.1. Names that begin with a substitution other than ``std``, and
    operators, are not read.
    """
    prefix = _PREFIX.match(name)
    if prefix is None:
        return None
    is_nested = prefix["nested"] is not None
    at, parts = prefix.end(), []
    if name.startswith("St", at):
        at, parts = at + 2, ["std"]
    # A name that isn't nested has one part, or two if the first is "std".
    while is_nested or len(parts) <= (parts[:1] == ["std"]):
        end = _read_part(name, at, parts)
        if end is None:
            break
        at = end
    if not parts or (is_nested and name[at : at + 1] != "E"):
        return None
    return parts


def _read_part(name: str, at: int, parts: list[str]) -> int | None:
    """
    Read one part of a path, and append it to `parts`. Return the position after it, or None if there is none.
    """
    length = _LENGTH.match(name, at)
    if length is not None:
        end = length.end() + int(length[0])
        parts.append(name[length.end() : end])
        return end if end <= len(name) else None
    if not parts:
        return None
    if name.startswith("I", at):
        return _after_arguments(name, at)
    if tag := _TAG.match(name, at):
        return tag.end() + int(tag[1])
    if _CONSTRUCTOR.match(name, at):
        parts.append(parts[-1] if name[at] == "C" else f"~{parts[-1]}")
        return at + 2
    return None


def _after_arguments(name: str, at: int) -> int | None:
    """
    Return the position after the template arguments that begin here, or None if they don't end.
    """
    depth = 0
    while at < len(name):
        skipped = _SUBSTITUTION.match(name, at) or _ARRAY.match(name, at) or _LITERAL.match(name, at)
        length = _LENGTH.match(name, at)
        if skipped is not None:
            at = skipped.end()
        elif length is not None:
            at = length.end() + int(length[0])
        else:
            depth += (name[at] in _OPENERS) - (name[at] == "E")
            at += 1
        if not depth:
            return at
    return None
