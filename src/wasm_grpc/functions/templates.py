"""The templates of ``then``: text in which `{id}`, `{json:/pointer}` and their like are filled in."""

from __future__ import annotations

import re

__all__ = ["PLACEHOLDERS", "template_fault"]

PLACEHOLDERS = ("{id}", "{subject}", "{method}", "{name}", "{json:/pointer}")
"""What may stand in braces."""

# A JSON pointer (RFC 6901): "~" only as "~0" or "~1"; here never empty and without braces.
_BRACED = re.compile(
    r"(?P<placeholder>\{(?:id|subject|method|name|json:(?:/(?:[^~/{}]|~[01])*)+)\})|\{[^{}]*\}?|\}"
)


def template_fault(text: str) -> str | None:
    """
    Give the first piece of `text` in braces that isn't a placeholder, or None.
    """
    return next((piece[0] for piece in _BRACED.finditer(text) if piece["placeholder"] is None), None)
