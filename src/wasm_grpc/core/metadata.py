"""Metadata as gRPC and HTTP have it: which keys can be sent, and several values of one made one."""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["is_key", "join_values"]

_KEY = re.compile(r"[0-9a-z_.-]+")
"""Of gRPC's ``PROTOCOL-HTTP2.md``, "Custom-Metadata"."""


def is_key(text: str) -> bool:
    """
    Whether gRPC takes it as a key.
    """
    return _KEY.fullmatch(text) is not None


def join_values(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """
    Give pairs as a map: the values of a key that stands there twice are a list (RFC 9110, 5.3).
    """
    joined: dict[str, str] = {}
    for key, value in pairs:
        joined[key] = f"{joined[key]}, {value}" if key in joined else value
    return joined
