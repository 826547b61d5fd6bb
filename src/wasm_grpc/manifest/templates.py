"""The templates of ``then``: text with placeholders such as `{id}` and `{json:/pointer}`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from wasm_grpc.core.model import MIB
from wasm_grpc.core.text import json_values

__all__ = [
    "PLACEHOLDERS",
    "Result",
    "TemplateError",
    "fill",
    "fill_array",
    "first_placeholder",
    "template_fault",
]

PLACEHOLDERS = ("{id}", "{subject}", "{method}", "{name}", "{result}", "{json:/pointer}")
"""The placeholders."""

# A JSON pointer (RFC 6901) has "~" only as "~0" or "~1". Here it is not empty and has no braces.
_BRACED = re.compile(
    r"(?P<placeholder>\{(?:(?P<name>id|subject|method|name|result)"
    r"|json:(?P<pointer>(?:/(?:[^~/{}]|~[01])*)+))\})"
    r"|\{[^{}]*\}?|\}"
)
_INDEX = re.compile(r"0|[1-9][0-9]*")
_RESULT_BYTES = MIB
_RESULT_VALUES = 20_000
"""Limits on a result that a pointer leads into. Parsing it holds up all other calls, for 20 ms at most."""

_UNREAD = object()


class TemplateError(ValueError):
    """
    A placeholder has no value. The message says which one, and why.
    """


class Result:
    """
    An invocation's result, as placeholders see it. It is parsed when the first one needs it, and only once.
    """

    __slots__ = ("_body", "_document")

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._document: object = _UNREAD

    def text(self) -> str:
        """
        Return the result as text.

        Raises:
            TemplateError: It is not UTF-8.
        """
        try:
            return self._body.decode()
        except UnicodeDecodeError:
            raise TemplateError("the result is not text in UTF-8") from None

    def at(self, pointer: str) -> object:
        """
        Return the value at a JSON pointer (RFC 6901, 4).

        Raises:
            TemplateError: The result is not JSON, or has nothing there.
        """
        value = self._parsed()
        for token in pointer[1:].split("/"):
            key = token.replace("~1", "/").replace("~0", "~")
            if isinstance(value, dict) and key in value:
                value = value[key]
            elif isinstance(value, list) and _INDEX.fullmatch(key) and int(key) < len(value):
                value = value[int(key)]
            else:
                raise TemplateError("the result has nothing there")
        return value

    def _parsed(self) -> object:
        if self._document is _UNREAD:
            self._check_length()
            try:
                self._document = json.loads(self._body, parse_constant=_no_json)
            except (ValueError, RecursionError):
                raise TemplateError("the result is not JSON") from None
        return self._document

    def _check_length(self) -> None:
        """
        Refuse what would take too long to parse, while other calls wait.
        """
        if len(self._body) > _RESULT_BYTES:
            size = len(self._body)
            raise TemplateError(f"the result has {size} bytes; expected at most {_RESULT_BYTES} here")
        if json_values(self._body) > _RESULT_VALUES:
            raise TemplateError(f"the result has too many values; expected at most {_RESULT_VALUES} here")


def template_fault(text: str) -> str | None:
    """
    Return the first piece of `text` in braces that isn't a placeholder, or None.
    """
    return next((piece[0] for piece in _BRACED.finditer(text) if piece["placeholder"] is None), None)


def first_placeholder(text: str) -> str | None:
    """
    Return the first placeholder in `text`, or None.
    """
    return next((piece[0] for piece in _BRACED.finditer(text) if piece["placeholder"] is not None), None)


def fill(text: str, values: Mapping[str, str], result: Result) -> str:
    """
    Fill in the placeholders of a template. `template_fault` must have found nothing in it.

    Args:
        text: The template.
        values: The available ones of ``id``, ``subject``, ``method`` and ``name``.
        result: The result, for the other placeholders.

    Raises:
        TemplateError: A value is missing, or the pointer doesn't lead to a string, number or boolean.
    """

    def value(piece: re.Match[str]) -> str:
        try:
            return _text(_value(piece, values, result))
        except TemplateError as exc:
            raise TemplateError(f"{piece[0]}: {exc}") from exc

    return _BRACED.sub(value, text) if "{" in text else text


def fill_array(texts: Sequence[str], values: Mapping[str, str], result: Result) -> str:
    """
    Fill in a list of templates, and return it as a JSON array.

    No value can change the form of the array. A text with several placeholders, or with other characters, is
    filled in as `fill` does. A text that is one placeholder becomes its value: ``true``, ``false`` and
    ``null`` as they are, all else a string. A number is the string of its digits, as whoever parses the array
    may round numbers; an object or array is the string of its JSON.

    Args:
        texts: The templates.
        values: See `fill`.
        result: See `fill`.

    Raises:
        TemplateError: A value is missing, or a text with more than a placeholder can't hold it.
    """
    return json.dumps([_element(text, values, result) for text in texts])


def _element(text: str, values: Mapping[str, str], result: Result) -> str | bool | None:
    piece = _BRACED.fullmatch(text)
    if piece is None:
        return fill(text, values, result)
    try:
        value = _value(piece, values, result)
        return value if value is None or isinstance(value, bool) else _characters(value)
    except TemplateError as exc:
        raise TemplateError(f"{piece[0]}: {exc}") from exc


def _value(piece: re.Match[str], values: Mapping[str, str], result: Result) -> object:
    if piece["name"] is None:
        return result.at(piece["pointer"])
    if piece["name"] == "result":
        return result.text()
    found = values.get(piece["name"], "")
    if not found:
        raise TemplateError("has no value here")
    return found


def _text(value: object) -> str:
    # A topic or key can't hold null or a whole object.
    if value is None or isinstance(value, (dict, list)):
        raise TemplateError("the value there is not a string, number or boolean")
    return _characters(value)


def _characters(value: object) -> str:
    """
    Return a string as it is, and any other value as JSON.
    """
    try:
        text = value if isinstance(value, str) else json.dumps(value, allow_nan=False, ensure_ascii=False)
        text.encode()
    except UnicodeEncodeError:
        # JSON can write half of a surrogate pair, which no message of protobuf can hold.
        raise TemplateError("the value there is not valid Unicode") from None
    except (ValueError, RecursionError):
        # Python reads 1e400 as infinity, and may fail to write what it could just read, for its depth.
        raise TemplateError("the value there is out of range") from None
    return text


def _no_json(name: str) -> object:
    """
    Refuse NaN and Infinity, which Python would take.
    """
    raise ValueError(name)
