"""One ``function.toml`` read: its manifest, or every line that says why there is none."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from wasm_grpc.core.model import MIB
from wasm_grpc.functions.manifest import FunctionManifest
from wasm_grpc.functions.problems import problem_lines
from wasm_grpc.functions.units import format_size

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["MANIFEST_NAME", "Document", "DocumentReader"]

MANIFEST_NAME = "function.toml"
"""Name of the manifest in its function's folder."""

_SIZE_LIMIT_BYTES = MIB
"""Far above any manifest that a person writes."""

_POSITION = re.compile(r" \(at (line \d+, column \d+|end of document)\)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """
    What one file says.

    Attributes:
        name: The function's name, as far as it could be read; else its folder's.
        manifest: The manifest, or None if there are problems.
        problems: One line each, without the file's name.
    """

    name: str
    manifest: FunctionManifest | None = None
    problems: tuple[str, ...] = ()


class DocumentReader:
    """
    Reads manifests; holds the checks that are built once from the manifest's definition.
    """

    __slots__ = ("_adapter",)

    def __init__(self) -> None:
        self._adapter = TypeAdapter(FunctionManifest)

    def read(self, folder: Path) -> Document:
        """
        Read and check the manifest of the function in `folder`.
        """
        try:
            text = _read_text(folder / MANIFEST_NAME)
            table = tomllib.loads(text)
        except _UnreadableError as exc:
            return Document(name=folder.name, problems=(str(exc),))
        except RecursionError:
            return Document(name=folder.name, problems=("nested too deeply; expected a manifest",))
        except ValueError as exc:
            return Document(name=folder.name, problems=(_syntax_problem(str(exc)),))
        name = table.get("name")
        name = name if isinstance(name, str) else folder.name
        try:
            return Document(name=name, manifest=self._adapter.validate_python(table))
        except ValidationError as exc:
            return Document(name=name, problems=problem_lines(exc))


class _UnreadableError(Exception):
    """
    The file can't be read as text.
    """


def _read_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_SIZE_LIMIT_BYTES + 1)
    except FileNotFoundError as exc:
        raise _UnreadableError("missing; expected a manifest beside the module") from exc
    except OSError as exc:
        raise _UnreadableError(f"can't be read: {exc.strerror}; expected a readable file") from exc
    if len(content) > _SIZE_LIMIT_BYTES:
        raise _UnreadableError(f"is too long; expected at most {format_size(_SIZE_LIMIT_BYTES)}")
    try:
        # TOML 1.0: a newline is LF or CRLF, which `tomllib` knows itself.
        return content.decode()
    except UnicodeDecodeError as exc:
        line = content.count(b"\n", 0, exc.start) + 1
        raise _UnreadableError(f"line {line}: is not UTF-8; expected TOML, which is") from exc


def _syntax_problem(message: str) -> str:
    position = _POSITION.search(message)
    what = _POSITION.sub("", message)
    where = f"{position[1]}: " if position else ""
    return f"{where}{what[:1].lower()}{what[1:]}; expected TOML 1.0"
