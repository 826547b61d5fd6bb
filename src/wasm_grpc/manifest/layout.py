"""Names of files and keys of a function's folder and manifest."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

__all__ = ["MANIFEST_NAME", "REMOTE_SCHEMES", "Key", "key_text"]

MANIFEST_NAME = "function.toml"
"""File name of the manifest in a function's folder."""

REMOTE_SCHEMES = ("https://", "oci://")
"""Prefixes of a module reference that is not a file in the function's folder."""

Key = tuple[str | int, ...]
"""The location of a value in a manifest: names of tables and keys, and indexes of arrays."""

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
"""A key that TOML allows without quotes (TOML 1.0, Keys)."""


def key_text(key: Sequence[str | int]) -> str:
    """
    Format a key for a message: ``trigger.invoke[0].method``.
    """
    text = ""
    for part in key:
        if isinstance(part, int):
            text += f"[{part}]"
            continue
        name = part if _BARE_KEY.fullmatch(part) else json.dumps(part)
        text += f".{name}" if text else name
    return text
