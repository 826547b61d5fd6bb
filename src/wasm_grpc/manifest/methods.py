"""The grammar of methods: exact names ("api/image") and prefixes ("orders/*")."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["METHOD_LIMIT", "MethodPattern", "method_fault", "parse_method_pattern"]

METHOD_LIMIT = 2048
"""The longest method, in characters; longer than any that is written by hand."""

# daprd refuses these in a method (NormalizeMethod of its 1.18): "?" and "#" would end the path.
_RESERVED = re.compile(r"[?#\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodPattern:
    """
    Which methods a trigger takes.

    Attributes:
        path: The method, or for a prefix what stands before "/*"; "" for "*", which takes every method.
        is_prefix: The rest of the path is the guest's ``PATH_INFO``.
    """

    path: str
    is_prefix: bool

    def __str__(self) -> str:
        if not self.is_prefix:
            return self.path
        return f"{self.path}/*" if self.path else "*"


def method_fault(method: str) -> str | None:
    """
    Say what keeps `method` from being any method at all, or give None.
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
    Read a pattern as a manifest or ``--route`` writes it, or say what is wrong with it.

    One leading "/" is dropped. "orders/*" takes what lies below "orders", not "orders" itself.
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
    # daprd cleans "a//b" and "a/" to "a/b" and "a": such a method would never be called.
    return MethodPattern(path=path, is_prefix=is_prefix) if all(path.split("/")) else "has an empty segment"
