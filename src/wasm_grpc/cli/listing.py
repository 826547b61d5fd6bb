"""``wasm-grpc list``: list a folder's functions and their triggers."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from wasm_grpc.catalogue.folder import read_functions
from wasm_grpc.catalogue.function import Function
from wasm_grpc.cli.arguments import add_folder
from wasm_grpc.cli.tables import aligned
from wasm_grpc.manifest.triggers import Trigger
from wasm_grpc.manifest.units import format_size

__all__ = ["PARSER", "add_arguments", "execute"]

PARSER: Mapping[str, Any] = {
    "description": "List the functions below DIR: their limits and triggers.\n"
    "It reads only the manifests; `check` reads the modules too.",
    "epilog": "example: wasm-grpc list functions --json",
}

_TITLES = ("FUNCTION", "GUEST", "ENGINE", "MEMORY", "TIMEOUT", "CALLED BY")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """
    Declare the command's arguments.
    """
    add_folder(parser)
    parser.add_argument("--json", action="store_true", help="print JSON, for scripts")


def execute(options: argparse.Namespace, stdout: TextIO, stderr: TextIO) -> int:
    """
    Print a table, or JSON.
    """
    functions = read_functions(Path(options.folder))
    if options.json:
        print(json.dumps([_object(function) for function in functions], indent=2), file=stdout)
        return 0
    rows = [_TITLES, *map(_row, functions)]
    if any(function.secrets for function in functions):
        secrets = ("SECRETS", *map(_secrets, functions))
        rows = [(*row, secret) for row, secret in zip(rows, secrets, strict=True)]
    for row in aligned(rows):
        print(row, file=stdout)
    return 0


def _triggers(function: Function) -> list[str]:
    """
    Return what calls the function, and where each result goes: ``binding cron -> state statestore/ticks``.
    """
    return [
        " ".join([kind, *trigger.label.split(), *_destinations(trigger)])
        for kind, _, trigger in function.manifest.trigger.each()
    ]


def _destinations(trigger: Trigger) -> list[str]:
    return ["->", " and ".join(then.label for then in trigger.then)] if trigger.then else []


def _secrets(function: Function) -> str:
    return ", ".join(dict.fromkeys(secret.secret for secret in function.secrets.values()))


def _object(function: Function) -> dict[str, Any]:
    manifest = function.manifest
    limits = manifest.limits
    return {
        "name": manifest.name,
        "folder": function.folder.name,
        "module": manifest.module,
        "guest": manifest.guest.value,
        "engine": manifest.engine.value if manifest.engine else "auto",
        "memory_bytes": limits.memory_bytes,
        "timeout_s": limits.timeout_s,
        "limits": dataclasses.asdict(limits),
        "triggers": _triggers(function),
        "outcome": {key: choice.value for key, choice in dataclasses.asdict(manifest.outcome).items()},
        "secrets": {variable: secret.secret for variable, secret in function.secrets.items()},
    }


def _row(function: Function) -> tuple[str, ...]:
    manifest = function.manifest
    timeout = manifest.limits.timeout_s
    return (
        manifest.name,
        manifest.guest.value,
        manifest.engine.value if manifest.engine else "auto",
        format_size(manifest.limits.memory_bytes),
        "unlimited" if timeout is None else f"{timeout:g}s",
        ", ".join(_triggers(function)),
    )
