"""The grammar of methods: exact names ("api/image") and prefixes ("orders/*")."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["METHOD_LIMIT", "MethodPattern", "method_fault", "parse_method_pattern"]

METHOD_LIMIT = 2048
"""Limit on a method, in characters; far above any that is written by hand."""

# daprd refuses these in a method (NormalizeMethod in 1.18): "?" and "#" would end the path.
_RESERVED = re.compile(r"[?#\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodPattern:
    """
    The methods that a trigger matches.

    Attributes:
        path: The method, or the prefix before "/*"; "" for "*", which matches every method.
        is_prefix: It is a prefix. The rest of the method becomes the guest's ``PATH_INFO``.
    """

    path: str
    is_prefix: bool

    def __str__(self) -> str:
        if not self.is_prefix:
            return self.path
        return f"{self.path}/*" if self.path else "*"


def method_fault(method: str) -> str | None:
    """
    Return why a text can't be a method, or None if it can.
    """
    if len(method) > METHOD_LIMIT:
        return f"is longer than {METHOD_LIMIT} characters"
    reserved = _RESERVED.search(method)
    if reserved is not None:
        return f"has the reserved character {reserved[0]!r}"
    dots = next((segment for segment in method.split("/") if segment in {".", ".."}), None)
    return None if dots is None else f"has a segment {dots!r}"


def parse_method_pattern(text: str) -> MethodPattern | str:
    """
    Parse a pattern from a manifest or ``--route``, or return what is wrong with it.

    One leading "/" is dropped. "orders/*" matches everything below "orders", not "orders" itself.
    """
    path = text.removeprefix("/")
    if path == "*":
        return MethodPattern(path="", is_prefix=True)
    is_prefix = path.endswith("/*")
    path = path.removesuffix("/*") if is_prefix else path
    fault = method_fault(path)
    if fault is not None:
        return fault
    if "*" in path:
        return "has a '*' that isn't its last segment"
    # daprd normalises "a//b" and "a/" to "a/b" and "a", so such a method would never be called.
    return MethodPattern(path=path, is_prefix=is_prefix) if all(path.split("/")) else "has an empty segment"
