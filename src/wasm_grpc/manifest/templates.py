"""The templates of ``then``: text with placeholders such as `{id}` and `{json:/pointer}`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping

__all__ = ["PLACEHOLDERS", "TemplateError", "fill", "template_fault"]

PLACEHOLDERS = ("{id}", "{subject}", "{method}", "{name}", "{json:/pointer}")
"""The placeholders."""

# A JSON pointer (RFC 6901) has "~" only as "~0" or "~1". Here it is not empty and has no braces.
_BRACED = re.compile(
    r"(?P<placeholder>\{(?:(?P<name>id|subject|method|name)|json:(?P<pointer>(?:/(?:[^~/{}]|~[01])*)+))\})"
    r"|\{[^{}]*\}?|\}"
)
_INDEX = re.compile(r"0|[1-9][0-9]*")


class TemplateError(ValueError):
    """
    A placeholder has no value. The message says which one, and why.
    """


def template_fault(text: str) -> str | None:
    """
    Return the first piece of `text` in braces that isn't a placeholder, or None.
    """
    return next((piece[0] for piece in _BRACED.finditer(text) if piece["placeholder"] is None), None)


def fill(text: str, values: Mapping[str, str], result: Callable[[], bytes]) -> str:
    """
    Fill in the placeholders of a template. `template_fault` must have found nothing in it.

    Args:
        text: The template.
        values: The available ones of ``id``, ``subject``, ``method`` and ``name``.
        result: Returns the result, for JSON pointers. Called only if the template has one.

    Raises:
        TemplateError: A value is missing, or the pointer doesn't lead to a string, number or boolean.
    """

    def value(piece: re.Match[str]) -> str:
        if piece["name"] is None:
            return _pointed_at(piece["pointer"], result())
        found = values.get(piece["name"], "")
        if not found:
            raise TemplateError(f"{piece[0]}: has no value here")
        return found

    return _BRACED.sub(value, text) if "{" in text else text


def _pointed_at(pointer: str, result: bytes) -> str:
    """
    Return the value at a JSON pointer as text (RFC 6901, 4).
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
    # A topic or key can't hold null or a whole object.
    if value is None or isinstance(value, (dict, list)):
        raise TemplateError(f"{placeholder}: the value there is not a string, number or boolean")
    return value if isinstance(value, str) else json.dumps(value)
