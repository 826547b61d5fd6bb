"""The folders that are served: functions with manifests for ours, the same modules alone for the others."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from wasmtime import wat2wasm

from benchmarks.classifier import Classifier
from benchmarks.functions import lay_out
from benchmarks.processes import ROOT

__all__ = ["SPIN", "Ground", "lay_out_copies", "lay_out_field"]

SPIN = "spin"
"""The method that never returns."""

_ECHO = ROOT / "functions" / "echo" / "echo.wasm"
_SPIN = '(module (memory (export "memory") 1) (func (export "_start") (loop (br 0))))'
_MANIFEST = """
name = "{name}"
module = "{name}.wasm"
content_type = "application/octet-stream"
[limits]
memory = "1MiB"
[[trigger.invoke]]
method = "{name}"
"""
_NONE_READY = "[pool]\nmin = 0\n"
"""A worker on Wasmtime has room for 500 instances, so 1,000 functions can't each keep one ready."""
_LONG_QUEUE = "[pool]\nqueue = 512\n"
"""For the loads with 256 callers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """
    What the peers serve.

    Attributes:
        functions: A folder for each function, with its manifest.
        modules: The modules alone, ``<method>.wasm``.
        methods: The names of all.
        model: What classify runs; None without a classifier.
        labels: Its labels.
    """

    functions: Path
    modules: Path
    methods: tuple[str, ...]
    model: Path | None = None
    labels: Path | None = None


def lay_out_field(classifier: Classifier | None, folder: Path) -> Ground:
    """
    Make the folders of echo, grayscale, classify, and of a function that loops for ever.
    """
    functions, modules = folder / "functions", folder / "modules"
    lay_out(classifier, functions)
    for manifest in functions.glob("*/function.toml"):
        text = manifest.read_text("utf-8").replace("[[trigger", f"{_LONG_QUEUE}\n[[trigger", 1)
        manifest.write_text(text, "utf-8")
    _add(functions, SPIN, bytes(wat2wasm(_SPIN)))
    modules.mkdir()
    for name in ("echo", "grayscale", SPIN):
        shutil.copy(functions / name / f"{name}.wasm", modules)
    return Ground(
        functions=functions,
        modules=modules,
        methods=tuple(sorted(path.name for path in functions.iterdir())),
        model=classifier.model if classifier else None,
        labels=classifier.labels if classifier else None,
    )


def lay_out_copies(count: int, folder: Path) -> Ground:
    """
    Make the folders of so many functions: copies of echo, of which no two are the same module.
    """
    functions, modules = folder / "functions", folder / "modules"
    modules.mkdir(parents=True)
    methods = tuple(f"f{number:04}" for number in range(count))
    for name in methods:
        wasm = _ECHO.read_bytes() + _custom_section(name)
        _add(functions, name, wasm, _NONE_READY)
        (modules / f"{name}.wasm").write_bytes(wasm)
    return Ground(functions=functions, modules=modules, methods=methods)


def _add(functions: Path, name: str, wasm: bytes, more: str = "") -> None:
    place = functions / name
    place.mkdir(parents=True)
    (place / f"{name}.wasm").write_bytes(wasm)
    (place / "function.toml").write_text(_MANIFEST.format(name=name) + more, "utf-8")


def _custom_section(name: str) -> bytes:
    """
    Return a section that engines skip: id 0, its length, its name, and a byte; both lengths fit into one.
    """
    text = name.encode()
    return bytes([0, 2 + len(text), len(text)]) + text + b"\0"
