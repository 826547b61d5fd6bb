"""``wasm-grpc check``: report what is wrong with the functions of a folder."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from wasm_grpc.app.checking import check
from wasm_grpc.cli.arguments import add_engine, add_folder, setting_flags
from wasm_grpc.cli.configuration import read_settings
from wasm_grpc.cli.logs import log_to

__all__ = ["PARSER", "add_arguments", "execute"]

PARSER: Mapping[str, Any] = {
    "description": "Check every manifest below DIR, and every module on every available engine.\n"
    "Each problem begins with its file and says what was expected.",
    "epilog": "example: wasm-grpc check functions/grayscale\n\n"
    "Exits with 2 if anything is wrong. A `note:` tells what another engine refuses, what a later\n"
    "version will serve, or what the sidecar must have. docs/manifest.md has every key.",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """
    Declare the command's arguments.
    """
    add_folder(parser)
    add_engine(parser, meaning="check on this engine only (default: auto, every available one)")


def execute(options: argparse.Namespace, stdout: TextIO, stderr: TextIO) -> int:
    """
    Print a line for each valid function. Print problems on standard error and return 2.
    """
    log_to(stderr, default="warning")
    settings = read_settings(setting_flags(options))
    found = asyncio.run(check(Path(options.folder), settings))
    for note in found.notes:
        print(f"note: {note}", file=stdout)
    for report in found.functions:
        for note in report.notes:
            print(f"note: {note}", file=stdout)
        for problem in report.problems:
            print(problem, file=stderr)
        if not report.problems:
            print(f"{report.name}: ok ({' and '.join(report.engines) or 'not compiled'})", file=stdout)
    return 2 if any(report.problems for report in found.functions) else 0
