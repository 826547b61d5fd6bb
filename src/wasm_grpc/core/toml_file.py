"""A TOML file that a person wrote: its table, or one sentence that says why there is none."""

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
"""Far above any file that a person writes."""

_POSITION = re.compile(r" \(at (line \d+, column \d+|end of document)\)$")


def read_toml(path: Path) -> dict[str, Any]:
    """
    Read a file of TOML 1.0; a byte order mark before it, which some editors write, is passed over.

    Raises:
        FileNotFoundError: There is none.
        ConfigError: It can't be read as TOML; the text does not name the file.
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
        # Not blocking: a named pipe in its place would hold us up for ever.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ConfigError("is no regular file; expected a file of TOML")
            content = file.read(_LIMIT_BYTES + 1)
    except FileNotFoundError:
        raise
    except OSError as exc:
        raise ConfigError(f"can't be read: {exc.strerror}; expected a readable file") from exc
    if len(content) > _LIMIT_BYTES:
        raise ConfigError(f"is too long; expected at most {_LIMIT_BYTES // MIB}MiB")
    return content


def _decode(content: bytes) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ConfigError("is UTF-16; expected UTF-8, as TOML is")
    try:
        # A newline is LF or CRLF, which `tomllib` knows itself.
        return content.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as exc:
        line = content.count(b"\n", 0, exc.start) + 1
        raise ConfigError(f"line {line}: is not UTF-8; expected TOML, which is") from exc


def _syntax_problem(message: str) -> str:
    position = _POSITION.search(message)
    what = _POSITION.sub("", message)
    where = f"{position[1]}: " if position else ""
    return f"{where}{what[:1].lower()}{what[1:]}; expected TOML 1.0"
