"""Read the arguments of ``run --call``: texts, and those with a type in front, such as ``i32:5``."""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Callable
from pathlib import Path

from wasm_grpc.core.arguments import Argument
from wasm_grpc.core.errors import ConfigError

__all__ = ["read_argument"]

_FILE = "@"
_INTEGERS = {"u8": "B", "i8": "b", "u16": "H", "i16": "h", "u32": "I", "i32": "i", "u64": "Q", "i64": "q"}
_FLOATS = {"f32": "f", "f64": "d"}
_ARRAY = "[]"
_WHOLE = re.compile(r"[+-]?[0-9]{1,40}")
_DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?|nan|[+-]?inf", re.IGNORECASE)
_SURROGATES = range(0xD800, 0xE000)
_TRUTH = {"false": b"\0", "true": b"\1"}


def read_argument(text: str) -> Argument:
    """
    Return the argument that a text stands for. Without a known type in front, it is the text itself.

    Raises:
        ConfigError: The value is none of its type, or its file can't be read.
    """
    kind, colon, value = text.partition(":")
    read = _READERS.get(kind) if colon else None
    if read is None or (kind == "bytes" and not value.startswith(_FILE)):
        return Argument(os.fsencode(text))
    return read(kind, value)


def _read_string(_: str, value: str) -> Argument:
    return Argument(os.fsencode(value))


def _read_file(_: str, value: str) -> Argument:
    path = Path(value.removeprefix(_FILE))
    try:
        return Argument(path.read_bytes())
    except OSError as exc:
        raise ConfigError(f"--call: {path}: {exc.strerror}; expected a readable file") from exc


def _read_integers(kind: str, value: str) -> Argument:
    name = kind.removesuffix(_ARRAY)
    form = _INTEGERS[name]
    if kind == name:
        return Argument(_integer(name, form, value), 1, kind)
    numbers = value.split(",") if value else []
    return Argument(b"".join(_integer(name, form, each) for each in numbers), len(numbers), kind)


def _integer(name: str, form: str, value: str) -> bytes:
    try:
        if _WHOLE.fullmatch(value):
            return struct.pack(f"<{form}", int(value))
    except struct.error:
        pass
    bits = 8 * struct.calcsize(f"<{form}")
    least, most = (0, 2**bits - 1) if name.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    raise _wrong(name, value, f"a whole number from {least} to {most}")


def _read_float(kind: str, value: str) -> Argument:
    try:
        if _DECIMAL.fullmatch(value):
            return Argument(struct.pack(f"<{_FLOATS[kind]}", float(value)), 1, kind)
    except OverflowError:
        pass
    raise _wrong(kind, value, "a number such as 1.5")


def _read_bool(kind: str, value: str) -> Argument:
    if value not in _TRUTH:
        raise _wrong(kind, value, "true or false")
    return Argument(_TRUTH[value], 1, kind)


def _read_char(kind: str, value: str) -> Argument:
    # In an argument that is no UTF-8, each wrong byte is a lone surrogate, which is no character.
    if len(value) != 1 or ord(value) in _SURROGATES:
        raise _wrong(kind, value, "one character")
    return Argument(value.encode("utf-32-le"), 1, kind)


def _wrong(kind: str, value: str, expected: str) -> ConfigError:
    return ConfigError(f"--call: {kind}: {value!r}; expected {expected}")


_READERS: dict[str, Callable[[str, str], Argument]] = {
    "string": _read_string,
    "bytes": _read_file,
    "bool": _read_bool,
    "char": _read_char,
    **dict.fromkeys(_FLOATS, _read_float),
    **dict.fromkeys(_INTEGERS, _read_integers),
    **{f"{name}{_ARRAY}": _read_integers for name in _INTEGERS},
}
