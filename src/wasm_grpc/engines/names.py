"""Demangle function names: Rust's legacy mangling, and plain names of C++."""

from __future__ import annotations

import re

__all__ = ["demangle"]

_RUST_HASH = re.compile(r"h[0-9a-f]{16}")
_ESCAPES = {
    "$LT$": "<",
    "$GT$": ">",
    "$RF$": "&",
    "$BP$": "*",
    "$LP$": "(",
    "$RP$": ")",
    "$C$": ",",
    "$SP$": "@",
    "$u20$": " ",
    "$u7b$": "{",
    "$u7d$": "}",
    "$u5b$": "[",
    "$u5d$": "]",
    "$u27$": "'",
    "..": "::",
}
"""Escapes of Rust's legacy mangling (rustc's ``legacy`` symbol names)."""
_ESCAPE = re.compile("|".join(map(re.escape, _ESCAPES)))
_LENGTH = re.compile(r"[1-9][0-9]{0,3}")


def demangle(name: str) -> str:
    """
    Return a function's path without its types. A name in another mangling, or in none, stays unchanged.
    """
    # Itanium mangling: "_ZN" <length><name>... "E" for a path, "_Z" <length><name> for a plain name.
    nested = re.match(r"_ZNK?|_Z", name)
    if nested is None:
        return name
    parts, position = [], nested.end()
    while (length := _LENGTH.match(name, position)) is not None:
        end = length.end() + int(length[0])
        parts.append(name[length.end() : end])
        if end > len(name):
            return name
        position = end
        if nested[0] == "_Z":
            break
    if not parts or (nested[0] != "_Z" and name[position : position + 1] != "E"):
        return name
    # Rust appends a hash to each path, which says nothing to people.
    if len(parts) > 1 and _RUST_HASH.fullmatch(parts[-1]):
        parts.pop()
        parts = [_unescape(part) for part in parts]
    return "::".join(parts)


def _unescape(part: str) -> str:
    # The mangling puts an underscore before a leading "$", with which an identifier can't begin.
    begun = part[1:] if part.startswith("_$") else part
    return _ESCAPE.sub(lambda escape: _ESCAPES[escape[0]], begun)
