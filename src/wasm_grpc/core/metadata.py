"""Metadata as gRPC and HTTP have it: which keys can be sent, and several values of one made one."""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["is_key", "join_values", "separator"]

_KEY = re.compile(r"[0-9a-z_.-]+")
"""Of gRPC's ``PROTOCOL-HTTP2.md``, "Custom-Metadata"."""


def is_key(text: str) -> bool:
    """
    Whether gRPC takes it as a key.
    """
    return _KEY.fullmatch(text) is not None


def separator(key: str) -> str:
    """
    Return what stands between the values of a key that came more than once.

    They are a list (RFC 9110, 5.3), but for ``cookie`` (RFC 9113, 8.2.3). ``set-cookie`` can't be joined.
    """
    return "; " if key == "cookie" else ", "


def join_values(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """
    Return pairs as a map, the values of a key that stands there more than once joined by its `separator`.
    """
    joined: dict[str, str] = {}
    for key, value in pairs:
        joined[key] = f"{joined[key]}{separator(key)}{value}" if key in joined else value
    return joined
