"""Read one ``function.toml``: its manifest, or one line for each problem."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from wasm_grpc.core.errors import ConfigError
from wasm_grpc.core.toml_file import read_toml
from wasm_grpc.manifest.layout import MANIFEST_NAME
from wasm_grpc.manifest.problems import problem_lines
from wasm_grpc.manifest.tables import FunctionManifest

__all__ = ["Document", "DocumentReader"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """
    The content of one file.

    Attributes:
        name: The function's name if it could be read, else its folder's name.
        manifest: The manifest, or None if there are problems.
        problems: One line for each problem, without the file's name.
    """

    name: str
    manifest: FunctionManifest | None = None
    problems: tuple[str, ...] = ()


class DocumentReader:
    """
    Reads manifests. Keep one reader for many files: pydantic builds its validator once for each.
    """

    __slots__ = ("_adapter",)

    def __init__(self) -> None:
        self._adapter = TypeAdapter(FunctionManifest)

    def read(self, folder: Path) -> Document:
        """
        Read and check the manifest of the function in `folder`.
        """
        try:
            table = read_toml(folder / MANIFEST_NAME)
        except FileNotFoundError:
            problem = "missing; expected a manifest beside the module"
            return Document(name=folder.name, problems=(problem,))
        except ConfigError as exc:
            return Document(name=folder.name, problems=(str(exc),))
        name = table.get("name")
        name = name if isinstance(name, str) else folder.name
        try:
            return Document(name=name, manifest=self._adapter.validate_python(table))
        except ValidationError as exc:
            return Document(name=name, problems=problem_lines(exc))
