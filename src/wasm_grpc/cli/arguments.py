"""Argument types and actions that several commands share."""

from __future__ import annotations

import argparse
import re
from dataclasses import fields
from typing import Any, NoReturn

from wasm_grpc.core.errors import ConfigError
from wasm_grpc.core.metadata import is_key
from wasm_grpc.core.settings import ENGINES, Settings
from wasm_grpc.manifest.units import parse_duration, parse_size

__all__ = [
    "Parser",
    "add_engine",
    "add_folder",
    "duration",
    "duration_or_zero",
    "header",
    "setting_flags",
    "size",
    "size_or_none",
]

_SETTINGS = frozenset(field.name for field in fields(Settings))
_HEADER_VALUE = re.compile(r"[ -~]*")
"""Valid values of gRPC metadata (``PROTOCOL-HTTP2.md``, "Custom-Metadata")."""


class Parser(argparse.ArgumentParser):
    """
    A parser that raises an error without the usage, instead of exiting.
    """

    def error(self, message: str) -> NoReturn:
        """
        See `argparse.ArgumentParser.error`.

        Raises:
            ConfigError: Always.
        """
        raise ConfigError(message)


def duration(text: str) -> float:
    """
    Parse a duration such as ``5s`` or ``1m30s``. A bare number means seconds.
    """
    seconds = float(text) if text.replace(".", "", 1).isdecimal() else parse_duration(text)
    if not seconds:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration; expected one such as 5s or 1m30s")
    return seconds


def duration_or_zero(text: str) -> float:
    """
    Parse a duration that may be 0.
    """
    return 0.0 if text in ("0", "0s") else duration(text)


def size(text: str) -> int:
    """
    Parse a size such as ``64MiB``.
    """
    size_bytes = parse_size(text)
    if not size_bytes:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size; expected one such as 64MiB")
    return size_bytes


def size_or_none(text: str) -> int:
    """
    Parse a size that may be 0.
    """
    return 0 if text in ("0", "0B") else size(text)


def header(text: str) -> tuple[str, str]:
    """
    Parse ``key=value``. gRPC allows keys in lower case only.
    """
    key, equals, value = text.partition("=")
    if not equals or not is_key(key):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a header; expected key=value with the key in lower case"
        )
    if not _HEADER_VALUE.fullmatch(value):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a header; expected key=value with the value in printable ASCII"
        )
    if key.endswith("-bin"):
        raise argparse.ArgumentTypeError(
            f"{text!r} is a binary header; expected key=value with a key that doesn't end with -bin"
        )
    return key, value


def add_folder(parser: argparse.ArgumentParser) -> None:
    """
    Declare the argument ``DIR``.
    """
    parser.add_argument(
        "folder",
        nargs="?",
        default="functions",
        metavar="DIR",
        help="functions, or one of them (default: functions)",
    )


def add_engine(
    parser: argparse.ArgumentParser,
    *,
    meaning: str = "engine to run on (default: auto, Wasmer if available)",
) -> None:
    """
    Declare the flags that choose the engine; `meaning` is the help of ``--engine``.
    """
    parser.add_argument("--engine", choices=ENGINES, help=meaning)
    parser.add_argument(
        "--worker-python", metavar="PATH", help="interpreter of the workers (default: searched for)"
    )


def setting_flags(options: argparse.Namespace) -> dict[str, Any]:
    """
    Return the given flags that are settings, by the setting's name.
    """
    given = {name: value for name, value in vars(options).items() if name in _SETTINGS and value is not None}
    return {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
