"""Names in Rust's mangling "v0", which rustc's own libraries have since 2025."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["demangle_v0"]

_LENGTH_LIMIT: Final = 4096
"""Characters of a name. Back references repeat parts of it."""
_DEPTH_LIMIT: Final = 50
"""Nested paths and types of one name; real names stay below 20."""
_STEPS_LIMIT: Final = 1_000
"""Paths and types read for one name. Back references could otherwise repeat each other exponentially."""
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LENGTH: Final = re.compile(r"0|[1-9][0-9]{0,4}")
_BASIC_TYPES: Final = {
    "a": "i8", "b": "bool", "c": "char", "d": "f64", "e": "str", "f": "f32", "h": "u8", "i": "isize",
    "j": "usize", "l": "i32", "m": "u32", "n": "i128", "o": "u128", "p": "_", "s": "i16", "t": "u16",
    "u": "()", "v": "...", "x": "i64", "y": "u64", "z": "!",
}  # fmt: skip


class _InvalidNameError(ValueError):
    """
    The name isn't in this mangling, or it is too deep.
    """


def demangle_v0(name: str) -> str | None:
    """
    Return a function's path without generic arguments; None if the name isn't in this mangling.

    Source: Rust's RFC 2603. A type that is more than a path is shown as "_".
    """
    if not name.startswith("_R") or len(name) > _LENGTH_LIMIT:
        return None
    parser = _Parser(name[2:])
    try:
        return parser.path(0)
    except (ValueError, IndexError):
        return None


class _Parser:
    """
    Reads one name from left to right. Back references count from the end of its prefix.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._steps = 0

    def path(self, depth: int) -> str:
        """
        Read a path.

        Raises:
            _InvalidNameError, IndexError: There is none.
        """
        self._check(depth)
        tag = self._next()
        if tag == "C":
            return self._identifier()
        if tag == "N":
            namespace = self._next()
            parent, own = self.path(depth + 1), self._identifier()
            if namespace.isupper():
                own = "{closure}" if namespace == "C" else "{shim}"
            return f"{parent}::{own}" if own else parent
        if tag == "M":
            self._skip_impl(depth)
            return self._type(depth + 1)
        if tag in "XY":
            if tag == "X":
                self._skip_impl(depth)
            implementer = self._type(depth + 1)
            return f"<{implementer} as {self.path(depth + 1)}>"
        if tag == "I":
            found = self.path(depth + 1)
            while not self._take("E"):
                self._skip_generic(depth)
            return found
        if tag == "B":
            return self._from_before(depth, is_type=False)
        raise _InvalidNameError

    def _type(self, depth: int) -> str:
        self._check(depth)
        tag = self._text[self._at]
        if tag in _BASIC_TYPES:
            self._at += 1
            return _BASIC_TYPES[tag]
        if tag == "B":
            self._at += 1
            return self._from_before(depth, is_type=True)
        if tag in "CNMXYI":
            return self.path(depth)
        self._at += 1
        if tag in "RQ":
            if self._take("L"):
                self._number()
            return "&" + self._type(depth + 1)
        if tag in "SPO":
            inner = self._type(depth + 1)
            return f"[{inner}]" if tag == "S" else f"*{inner}"
        self._skip_compound(tag, depth)
        return "_"

    def _skip_compound(self, tag: str, depth: int) -> None:
        if tag == "A":
            self._type(depth + 1)
            self._skip_const(depth)
        elif tag == "T":
            while not self._take("E"):
                self._type(depth + 1)
        elif tag == "F":
            self._skip_function(depth)
        elif tag == "D":
            self._skip_dyn(depth)
        else:
            raise _InvalidNameError

    def _skip_impl(self, depth: int) -> None:
        if self._take("s"):
            self._number()
        self.path(depth + 1)

    def _skip_generic(self, depth: int) -> None:
        if self._take("L"):
            self._number()
        elif self._take("K"):
            self._skip_const(depth)
        else:
            self._type(depth + 1)

    def _skip_const(self, depth: int) -> None:
        self._check(depth)
        if self._take("p"):
            return
        if self._take("B"):
            self._number()
            return
        self._type(depth + 1)
        self._at = self._text.index("_", self._at) + 1

    def _skip_function(self, depth: int) -> None:
        if self._take("G"):
            self._number()
        self._take("U")
        if self._take("K") and not self._take("C"):
            self._identifier()
        while not self._take("E"):
            self._type(depth + 1)
        self._type(depth + 1)

    def _skip_dyn(self, depth: int) -> None:
        if self._take("G"):
            self._number()
        while not self._take("E"):
            self.path(depth + 1)
            while self._take("p"):
                self._identifier()
                self._type(depth + 1)
        if self._take("L"):
            self._number()

    def _from_before(self, depth: int, *, is_type: bool) -> str:
        at = self._at
        target = self._number()
        after = self._at
        if target >= at:
            raise _InvalidNameError
        self._at = target
        found = self._type(depth + 1) if is_type else self.path(depth + 1)
        self._at = after
        return found

    def _identifier(self) -> str:
        if self._take("s"):
            self._number()
        is_punycode = self._take("u")
        digits = _LENGTH.match(self._text, self._at)
        if digits is None:
            raise _InvalidNameError
        self._at, length = digits.end(), int(digits[0])
        self._take("_")
        found = self._text[self._at : self._at + length]
        if len(found) != length:
            raise _InvalidNameError
        self._at += length
        return _decoded(found) if is_punycode else found

    def _number(self) -> int:
        """
        Read a number in base 62; an empty one is 0, and every other is one more than its digits say.
        """
        value, digits = 0, 0
        while (letter := self._next()) != "_":
            value = value * 62 + _DIGITS.index(letter)
            digits += 1
        return value + 1 if digits else 0

    def _next(self) -> str:
        letter = self._text[self._at]
        self._at += 1
        return letter

    def _take(self, letter: str) -> bool:
        is_there = self._text[self._at : self._at + 1] == letter
        self._at += is_there
        return is_there

    def _check(self, depth: int) -> None:
        self._steps += 1
        if depth > _DEPTH_LIMIT or self._steps > _STEPS_LIMIT:
            raise _InvalidNameError


def _decoded(text: str) -> str:
    # Rust has "_" where Punycode has "-".
    head, _, tail = text.rpartition("_")
    try:
        return (f"{head}-{tail}" if head else tail).encode("ascii").decode("punycode")
    except (UnicodeError, ValueError):
        return text
