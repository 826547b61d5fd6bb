"""``wasm-grpc doctor``: report what this machine can run, and how to fix the rest."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, TextIO

from wasm_grpc.app.diagnosis import Finding, diagnose
from wasm_grpc.cli.arguments import add_engine, setting_flags
from wasm_grpc.cli.configuration import read_settings
from wasm_grpc.cli.logs import log_to
from wasm_grpc.cli.tables import aligned
from wasm_grpc.demo.daprd import find_daprd

__all__ = ["PARSER", "add_arguments", "execute"]

PARSER: Mapping[str, Any] = {
    "description": "Report what was found of all that serving needs: each engine with its interpreter,\n"
    "inference backend and picture decoder, Landlock, the artifact cache, daprd and Redis; and how to get\n"
    "what is missing.",
    "epilog": "example: wasm-grpc doctor --worker-python /usr/bin/python3.10\n\n"
    "Exits with 1 if no engine can serve. Without a backend functions with models are refused, without a\n"
    "decoder those that import wasmedge_image. daprd and Redis are optional.",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """
    Declare the command's arguments.
    """
    add_engine(parser, meaning="look for this engine only (default: auto, for each)")
    parser.add_argument("--json", action="store_true", help="print JSON, for scripts")


def execute(options: argparse.Namespace, stdout: TextIO, stderr: TextIO) -> int:
    """
    Print a line for each finding. Return 1 if no engine can serve.
    """
    log_to(stderr, default="warning")
    settings = read_settings(setting_flags(options))
    today = datetime.now(timezone.utc).date()
    diagnosis = asyncio.run(diagnose(settings, daprd=find_daprd(), today=today))
    if options.json:
        print(json.dumps(dataclasses.asdict(diagnosis), indent=2), file=stdout)
    else:
        rows = [("ok" if each.is_found else "--", each.subject, _text(each)) for each in diagnosis.findings]
        for line in aligned(rows):
            print(line, file=stdout)
        print("can serve" if diagnosis.can_serve else "can't serve: no engine", file=stdout)
    return 0 if diagnosis.can_serve else 1


def _text(finding: Finding) -> str:
    return "; ".join(filter(None, (finding.found, finding.remedy)))
