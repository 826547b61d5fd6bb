"""Metadata of gRPC and HTTP: which keys are allowed, and how several values of one key are joined."""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["DEPTH_KEY", "is_key", "join_values", "separator"]

DEPTH_KEY = "wasm-grpc-depth"
"""How many invocations led to a call, as a server of ours tells the next; see `Origin.depth`."""

_KEY = re.compile(r"[0-9a-z_.-]+")
"""Source: gRPC's ``PROTOCOL-HTTP2.md``, "Custom-Metadata"."""


def is_key(text: str) -> bool:
    """
    Return whether gRPC allows it as a key.
    """
    return _KEY.fullmatch(text) is not None


def separator(key: str) -> str:
    """
    Return the separator that joins several values of a key.

    It makes a list of them (RFC 9110, 5.3), except for ``cookie`` (RFC 9113, 8.2.3). ``set-cookie`` can't be
    joined: its values may contain a comma.
    """
    return "; " if key == "cookie" else ", "


def join_values(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """
    Return pairs as a map. Several values of one key are joined with its `separator`.
    """
    joined: dict[str, str] = {}
    for key, value in pairs:
        joined[key] = f"{joined[key]}{separator(key)}{value}" if key in joined else value
    return joined
