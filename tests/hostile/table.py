"""The table of hostile guests that run, and functions made of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import wasmtime

from hostile.answering import ANSWERING
from hostile.computing import COMPUTING
from hostile.files import FILES
from hostile.hosts import HOSTS
from hostile.row import Row

__all__ = ["MODULE", "ROWS", "write_module", "write_rows"]

MODULE = "guest.wasm"
ROWS: Mapping[str, Row] = {**COMPUTING, **FILES, **ANSWERING, **HOSTS}


def write_rows(folder: Path) -> None:
    """Write each guest of the table as a function, called by its name."""
    for name, row in ROWS.items():
        write_module(folder, name, bytes(wasmtime.wat2wasm(row.module)), manifest=row.manifest)


def write_module(folder: Path, name: str, wasm: bytes, *, manifest: str = "") -> None:
    """Write a function of that module, called by its name."""
    place = folder / name
    place.mkdir(parents=True)
    (place / MODULE).write_bytes(wasm)
    text = f'name = "{name}"\nmodule = "{MODULE}"\n{manifest}\n[[trigger.invoke]]\nmethod = "{name}"\n'
    (place / "function.toml").write_text(text)
