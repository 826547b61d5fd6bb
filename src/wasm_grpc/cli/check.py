"""``wasm-grpc check``: report what is wrong with the functions of a folder."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from wasm_grpc.app.checking import check
from wasm_grpc.app.describing import check_file
from wasm_grpc.cli.arguments import add_engine, setting_flags
from wasm_grpc.cli.configuration import read_settings
from wasm_grpc.cli.logs import log_to
from wasm_grpc.core.settings import Settings
from wasm_grpc.core.wire import Described
from wasm_grpc.manifest.wording import listed

__all__ = ["PARSER", "add_arguments", "execute"]

PARSER: Mapping[str, Any] = {
    "description": "Check every manifest below DIR, and every module on every available engine.\n"
    "Each problem begins with its file and says what was expected. Of a WebAssembly file,\n"
    "say what it is, and which guest interface its manifest needs.",
    "epilog": "example: wasm-grpc check functions/grayscale\n"
    "a file: wasm-grpc check classify.wasm\n\n"
    "Exits with 2 if anything is wrong. A `note:` tells what another engine refuses, what a later\n"
    "version will serve, or what the sidecar must have. docs/manifest.md has every key.",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """
    Declare the command's arguments.
    """
    parser.add_argument(
        "path",
        nargs="?",
        default="functions",
        metavar="DIR",
        help="functions, one of them, or a WebAssembly file (default: functions)",
    )
    add_engine(parser, meaning="check on this engine only (default: auto, every available one)")


def execute(options: argparse.Namespace, stdout: TextIO, stderr: TextIO) -> int:
    """
    Print what is right of each function, or of the file. Print problems on standard error and return 2.
    """
    log_to(stderr, default="warning")
    settings = read_settings(setting_flags(options))
    path = Path(options.path)
    return (_check_file if path.is_file() else _check_folder)(path, settings, stdout, stderr)


def _check_folder(folder: Path, settings: Settings, stdout: TextIO, stderr: TextIO) -> int:
    found = asyncio.run(check(folder, settings))
    for note in found.notes:
        print(f"note: {note}", file=stdout)
    for report in found.functions:
        for note in report.notes:
            print(f"note: {note}", file=stdout)
        for problem in report.problems:
            print(problem, file=stderr)
        if not report.problems:
            print(f"{report.name}: ok ({' and '.join(report.engines) or 'not compiled'})", file=stdout)
        if not report.problems and report.module is not None:
            print(f"  {_described(report.module)}", file=stdout)
    return 2 if any(report.problems for report in found.functions) else 0


def _check_file(path: Path, settings: Settings, stdout: TextIO, stderr: TextIO) -> int:
    report = asyncio.run(check_file(path, settings))
    guest = report.module.guest
    wanted = "" if guest is None else f'; guest = "{guest.value}"'
    print(f"{path}: {_described(report.module)}{wanted}", file=stdout)
    for problem in report.problems:
        print(f"{path}: {problem}", file=stderr)
    if report.engines:
        print(f"{path}: ok ({' and '.join(report.engines)})", file=stdout)
    return 0 if report.engines else 2


def _described(module: Described) -> str:
    """
    Return a line such as ``WASI command; imports wasi_snapshot_preview1``.
    """
    parts = [module.what]
    if module.host_modules:
        parts.append(f"imports {listed(module.host_modules, 'and')}")
    if module.calls:
        parts.append(f"exports {listed(module.calls, 'and')}")
    return "; ".join(parts)
