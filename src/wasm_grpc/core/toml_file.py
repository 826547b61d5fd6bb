"""Read a TOML file that a person wrote, or explain in one sentence why it can't be read."""

from __future__ import annotations

import codecs
import os
import re
import stat
import sys
from pathlib import Path
from typing import Any

from wasm_grpc.core.errors import ConfigError
from wasm_grpc.core.model import MIB

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["read_toml"]

_LIMIT_BYTES = MIB
"""Limit on the size of a file. No file that a person writes comes near it."""

_POSITION = re.compile(r" \(at (line \d+, column \d+|end of document)\)$")


def read_toml(path: Path) -> dict[str, Any]:
    """
    Read a file in TOML 1.0. A byte order mark at its start, which some editors write, is skipped.

    Raises:
        FileNotFoundError: The file does not exist.
        ConfigError: It can't be read, or is not valid TOML. The message does not name the file.
    """
    text = _decode(_read(path))
    try:
        return tomllib.loads(text)
    except RecursionError as exc:
        raise ConfigError("nested too deeply; expected tables of plain values") from exc
    except ValueError as exc:
        raise ConfigError(_syntax_problem(str(exc))) from exc


def _read(path: Path) -> bytes:
    try:
        # O_NONBLOCK: opening a named pipe in the file's place would wait for a writer.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ConfigError("is not a regular file; expected a TOML file")
            content = file.read(_LIMIT_BYTES + 1)
    except FileNotFoundError:
        raise
    except OSError as exc:
        raise ConfigError(f"can't be read: {exc.strerror}; expected a readable file") from exc
    if len(content) > _LIMIT_BYTES:
        raise ConfigError(f"is too long; expected at most {_LIMIT_BYTES // MIB} MiB")
    return content


def _decode(content: bytes) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ConfigError("is UTF-16; expected UTF-8")
    try:
        # Decoded as it is, since `tomllib` itself knows both kinds of newline that TOML allows, LF and CRLF.
        return content.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as exc:
        line = content.count(b"\n", 0, exc.start) + 1
        raise ConfigError(f"line {line}: is not UTF-8; expected UTF-8") from exc


def _syntax_problem(message: str) -> str:
    position = _POSITION.search(message)
    what = _POSITION.sub("", message)
    where = f"{position[1]}: " if position else ""
    return f"{where}{what[:1].lower()}{what[1:]}; expected TOML 1.0"
