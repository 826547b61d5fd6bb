"""
Convert frozen dataclasses to JSON objects and back.

The types of a dataclass's fields define what its object may contain. No key is optional: both ends run the
same version, so a missing or unknown key is a bug or an attack.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import json
import math
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["FieldError", "read_fields", "read_object", "write_object"]

_Read = Callable[[object], object]


class FieldError(Exception):
    """
    A field has a wrong value.

    Attributes:
        path: Names of fields and indexes of arrays that lead to the value, the innermost first.
        problem: Text like "a string; expected a number".
    """

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.path: list[str] = []
        self.problem = problem

    def __str__(self) -> str:
        where = ".".join(reversed(self.path))
        return f"{where}: {self.problem}" if where else self.problem


def write_object(values: Mapping[str, object]) -> bytes:
    """
    Return a JSON object. Its values may be, or contain, dataclasses.
    """
    text = json.dumps(values, separators=(",", ":"), allow_nan=False, default=_own_fields)
    return text.encode()


def read_object(head: bytes) -> dict[str, Any]:
    """
    Read a JSON object.

    Raises:
        FieldError: It is not a JSON object.
    """
    try:
        value = json.loads(head)
    except (ValueError, RecursionError) as exc:
        raise FieldError("head is not JSON; expected a JSON object") from exc
    if not isinstance(value, dict):
        raise FieldError("head is not an object; expected a JSON object")
    return value


def read_fields(cls: type, values: Mapping[str, object], *, without: str = "") -> dict[str, Any]:
    """
    Check a JSON object against a dataclass, and return the arguments for the dataclass.

    Args:
        cls: The dataclass.
        values: The object.
        without: A field of the dataclass that the object does not have.

    Raises:
        FieldError: A field is missing, unknown or of the wrong type.
    """
    readers = _field_readers(cls, without)
    if values.keys() != readers.keys():
        raise _wrong_keys(values, readers)
    found = {}
    for name, read in readers.items():
        try:
            found[name] = read(values[name])
        except FieldError as exc:
            exc.path.append(name)
            raise
    return found


def _own_fields(value: Any) -> dict[str, object]:
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}


def _wrong_keys(values: Mapping[str, object], readers: Mapping[str, _Read]) -> FieldError:
    missing = next((name for name in readers if name not in values), None)
    if missing is not None:
        error = FieldError("missing field; expected one")
        error.path.append(missing)
        return error
    unknown = next(name for name in values if name not in readers)
    known = ", ".join(readers) or "none"
    error = FieldError(f"unknown field; expected {known}")
    # A peer may send any name, so it is shortened and escaped before it reaches a log.
    error.path.append(ascii(unknown[:_NAME_LENGTH])[1:-1])
    return error


_NAME_LENGTH = 64


# Computed at the first message of a class, since a process uses few of the classes.
@functools.cache
def _field_readers(cls: type, without: str) -> dict[str, _Read]:
    hints = typing.get_type_hints(cls)
    names = [field.name for field in dataclasses.fields(cls) if field.name != without]
    return {name: _reader(hints[name]) for name in names}


def _reader(hint: Any) -> _Read:
    """
    Return the function that reads a value of this type.
    """
    if hint in _PLAIN:
        return _PLAIN[hint]
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return functools.partial(_read_dataclass, hint)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return functools.partial(_read_enum, hint)
    arguments = typing.get_args(hint)
    if typing.get_origin(hint) is tuple and arguments[-1] is Ellipsis:
        return functools.partial(_read_array, _reader(arguments[0]))
    if typing.get_origin(hint) is tuple:
        return functools.partial(_read_row, [_reader(each) for each in arguments])
    if typing.get_origin(hint) in _UNIONS and arguments[-1] is type(None):
        return functools.partial(_read_optional, _reader(arguments[0]))
    raise TypeError(f"no field of a message can be a {hint}")


def _read_text(value: object) -> str:
    if not isinstance(value, str):
        raise _refuse(value, "a string")
    return value


def _read_flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise _refuse(value, "true or false")
    return value


def _read_integer(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise _refuse(value, "an integer")
    return value


def _read_number(value: object) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise _refuse(value, "a number")
    if isinstance(value, float) and not math.isfinite(value):
        raise FieldError("not finite; expected a finite number")
    return value


def _read_dataclass(cls: type, value: object) -> object:
    if not isinstance(value, dict):
        raise _refuse(value, "an object")
    return cls(**read_fields(cls, value))


def _read_enum(cls: type[enum.Enum], value: object) -> object:
    try:
        return cls(value)
    except ValueError as exc:
        choices = ", ".join(str(member.value) for member in cls)
        raise FieldError(f"unknown value; expected one of {choices}") from exc


def _read_array(read: _Read, value: object) -> tuple[object, ...]:
    if not isinstance(value, list):
        raise _refuse(value, "an array")
    found = []
    for index, each in enumerate(value):
        try:
            found.append(read(each))
        except FieldError as exc:
            exc.path.append(str(index))
            raise
    return tuple(found)


def _read_row(readers: list[_Read], value: object) -> tuple[object, ...]:
    if not isinstance(value, list) or len(value) != len(readers):
        raise _refuse(value, f"an array of {len(readers)}")
    return tuple(read(each) for read, each in zip(readers, value))  # noqa: B905 - same length


def _read_optional(read: _Read, value: object) -> object:
    return None if value is None else read(value)


def _refuse(value: object, expected: str) -> FieldError:
    return FieldError(f"{_JSON_NAMES[type(value)]}; expected {expected}")


_PLAIN: dict[object, _Read] = {str: _read_text, bool: _read_flag, int: _read_integer, float: _read_number}
_UNIONS = (types.UnionType, typing.Union)
_JSON_NAMES = {
    str: "a string",
    bool: "true or false",
    int: "a number",
    float: "a number",
    list: "an array",
    dict: "an object",
    type(None): "null",
}
