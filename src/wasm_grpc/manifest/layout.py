"""How a function's folder and its manifest are spoken of."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

__all__ = ["MANIFEST_NAME", "REMOTE_SCHEMES", "Key", "key_text"]

MANIFEST_NAME = "function.toml"
"""Name of the manifest in its function's folder."""

REMOTE_SCHEMES = ("https://", "oci://")
"""How a module's reference begins where it isn't a file of the function's folder."""

Key = tuple[str | int, ...]
"""Where a value stands in a manifest: names of tables and keys, and indexes of arrays."""

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
"""What TOML takes as a key without quotes (TOML 1.0, Keys)."""


def key_text(key: Sequence[str | int]) -> str:
    """
    Write a key as messages do: ``trigger.invoke[0].method``.
    """
    text = ""
    for part in key:
        if isinstance(part, int):
            text += f"[{part}]"
            continue
        name = part if _BARE_KEY.fullmatch(part) else json.dumps(part)
        text += f".{name}" if text else name
    return text
