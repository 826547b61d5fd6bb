"""Demangle function names: both manglings of Rust, and C++'s."""

from __future__ import annotations

import re

from wasm_grpc.engines.itanium import path_of
from wasm_grpc.engines.rust_v0 import demangle_v0

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


def demangle(name: str) -> str:
    """
    Return a function's path without its types. A name in another mangling, or in none, stays unchanged.
    """
    if (path := demangle_v0(name)) is not None:
        return path
    parts = path_of(name)
    if parts is None:
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
