"""One ``function.toml`` read: its manifest, or every line that says why there is none."""

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
