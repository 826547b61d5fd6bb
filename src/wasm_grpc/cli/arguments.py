"""Argument types and actions that several commands share."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
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
    "later",
    "setting_flags",
    "size",
    "size_or_none",
]

_SETTINGS = frozenset(field.name for field in fields(Settings))
_HEADER_VALUE = re.compile(r"[ -~]*")
"""What gRPC's metadata may hold (its ``PROTOCOL-HTTP2.md``, "Custom-Metadata")."""


class Parser(argparse.ArgumentParser):
    """
    A parser that raises what is wrong, without the usage, instead of ending the program.
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
    Read a duration such as ``5s`` or ``1m30s``; a bare number counts seconds.
    """
    seconds = float(text) if text.replace(".", "", 1).isdecimal() else parse_duration(text)
    if not seconds:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration; expected one such as 5s or 1m30s")
    return seconds


def duration_or_zero(text: str) -> float:
    """
    Read a duration that may be none at all.
    """
    return 0.0 if text in ("0", "0s") else duration(text)


def size(text: str) -> int:
    """
    Read a size such as ``64MiB``.
    """
    size_bytes = parse_size(text)
    if not size_bytes:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size; expected one such as 64MiB")
    return size_bytes


def size_or_none(text: str) -> int:
    """
    Read a size that may be none at all.
    """
    return 0 if text in ("0", "0B") else size(text)


def header(text: str) -> tuple[str, str]:
    """
    Read ``key=value``; gRPC takes keys in lower case only.
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
            f"{text!r} is a binary header; expected key=value with another key than -bin"
        )
    return key, value


def later(parser: argparse.ArgumentParser, flag: str, feature: str, **options: Any) -> None:
    """
    Declare a promised flag whose feature has not come: it says so instead of being unknown.
    """

    class Later(argparse.Action):
        def __call__(
            self,
            parser: argparse.ArgumentParser,
            namespace: argparse.Namespace,
            values: str | Sequence[Any] | None,
            option_string: str | None = None,
        ) -> None:
            parser.error(f"{flag}: {feature} comes in a later version")

    options.setdefault("nargs", 0)
    parser.add_argument(flag, action=Later, help=f"{feature}: in a later version", **options)


def add_folder(parser: argparse.ArgumentParser) -> None:
    """
    Declare ``DIR``.
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
    meaning: str = "engine to run on (default: auto, Wasmer where it can be had)",
) -> None:
    """
    Declare what chooses the engine; `meaning` is what it is chosen for.
    """
    parser.add_argument("--engine", choices=ENGINES, help=meaning)
    parser.add_argument(
        "--worker-python", metavar="PATH", help="interpreter of the workers (default: searched for)"
    )


def setting_flags(options: argparse.Namespace) -> dict[str, Any]:
    """
    Return the flags that were given and are settings, by the setting's name.
    """
    given = {name: value for name, value in vars(options).items() if name in _SETTINGS and value is not None}
    return {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
