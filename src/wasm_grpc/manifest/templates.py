"""The templates of ``then``: text in which `{id}`, `{json:/pointer}` and their like are filled in."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping

__all__ = ["PLACEHOLDERS", "TemplateError", "fill", "template_fault"]

PLACEHOLDERS = ("{id}", "{subject}", "{method}", "{name}", "{json:/pointer}")
"""What may stand in braces."""

# A JSON pointer (RFC 6901): "~" only as "~0" or "~1"; here never empty and without braces.
_BRACED = re.compile(
    r"(?P<placeholder>\{(?:(?P<name>id|subject|method|name)|json:(?P<pointer>(?:/(?:[^~/{}]|~[01])*)+))\})"
    r"|\{[^{}]*\}?|\}"
)
_INDEX = re.compile(r"0|[1-9][0-9]*")


class TemplateError(ValueError):
    """
    A placeholder has no value here; says which, and why.
    """


def template_fault(text: str) -> str | None:
    """
    Return the first piece of `text` in braces that isn't a placeholder, or None.
    """
    return next((piece[0] for piece in _BRACED.finditer(text) if piece["placeholder"] is None), None)


def fill(text: str, values: Mapping[str, str], result: Callable[[], bytes]) -> str:
    """
    Fill in the placeholders of a text in which `template_fault` finds nothing.

    Args:
        text: The template.
        values: Of ``id``, ``subject``, ``method`` and ``name``, those that there are.
        result: Gives the result that a JSON pointer points into; called only if there is one.

    Raises:
        TemplateError: A value is missing, or the pointer leads to no text, number or boolean.
    """

    def value(piece: re.Match[str]) -> str:
        if piece["name"] is None:
            return _pointed_at(piece["pointer"], result())
        found = values.get(piece["name"], "")
        if not found:
            raise TemplateError(f"{piece[0]} has no value here")
        return found

    return _BRACED.sub(value, text) if "{" in text else text


def _pointed_at(pointer: str, result: bytes) -> str:
    """
    Return what a JSON pointer leads to, as text (RFC 6901, 4).
    """
    placeholder = f"{{json:{pointer}}}"
    try:
        value = json.loads(result)
    except (ValueError, RecursionError):
        raise TemplateError(f"{placeholder}: the result is not JSON") from None
    for token in pointer[1:].split("/"):
        key = token.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and key in value:
            value = value[key]
        elif isinstance(value, list) and _INDEX.fullmatch(key) and int(key) < len(value):
            value = value[int(key)]
        else:
            raise TemplateError(f"{placeholder}: the result has nothing there")
    if value is None or isinstance(value, (dict, list)):
        raise TemplateError(f"{placeholder}: is no text, number or boolean")
    return value if isinstance(value, str) else json.dumps(value)
