"""``wasm-grpc compile``: compile functions into the artifact cache, so that a server starts fast."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from wasm_grpc.app.compiling import CompiledFunction, compile_functions
from wasm_grpc.cli.arguments import add_engine, add_folder, setting_flags
from wasm_grpc.cli.configuration import read_settings
from wasm_grpc.cli.logs import log_to
from wasm_grpc.cli.tables import aligned
from wasm_grpc.core.model import KIB

__all__ = ["PARSER", "add_arguments", "execute"]

PARSER: Mapping[str, Any] = {
    "description": "Compile every function below DIR as `serve` would, and keep the native code in the\n"
    "artifact cache; a server that starts later finds it there.",
    "epilog": "example: wasm-grpc compile functions --engine wasmtime\n\n"
    "WASM_GRPC_CACHE_DIR names the cache's folder (default: ~/.cache/wasm-grpc). Native code is bound to\n"
    "engine, version and CPU: compile where it is to be served, or on the same kind of machine.",
}

_TITLES = ("FUNCTION", "ENGINE", "SIZE", "")
_BAR = 20
_ERASE = "\r\x1b[K"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """
    Declare the command's arguments.
    """
    add_folder(parser)
    add_engine(parser, meaning="compile for this engine (default: auto, the one that `serve` would use)")
    parser.add_argument("--only", nargs="+", action="extend", metavar="NAME", help="only these functions")
    parser.add_argument("--json", action="store_true", help="print JSON, for scripts")


def execute(options: argparse.Namespace, stdout: TextIO, stderr: TextIO) -> int:
    """
    Compile the functions and print a table. Show progress if standard error is a terminal.
    """
    log_to(stderr, default="warning")
    settings = read_settings(setting_flags(options))

    def show(done: int, count: int, name: str) -> None:
        if stderr.isatty():
            bar = ("#" * (_BAR * done // count)).ljust(_BAR, ".")
            stderr.write(f"{_ERASE}[{bar}] {done}/{count} {name}")
            stderr.flush()

    try:
        compiled = asyncio.run(compile_functions(Path(options.folder), settings, show))
    finally:
        if stderr.isatty():
            stderr.write(_ERASE)
            stderr.flush()
    if options.json:
        print(json.dumps([dataclasses.asdict(each) for each in compiled], indent=2), file=stdout)
        return 0
    for line in aligned([_TITLES, *map(_row, compiled)]):
        print(line, file=stdout)
    return 0


def _row(compiled: CompiledFunction) -> tuple[str, ...]:
    size = f"{compiled.size_bytes / KIB:,.0f} KiB"
    return compiled.name, compiled.engine, size, "compiled" if compiled.is_new else "cached"
