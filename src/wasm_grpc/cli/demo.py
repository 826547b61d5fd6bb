"""``wasm-grpc demo``: serve the sample functions, turn a picture grey and read a digit."""

from __future__ import annotations

import argparse
import asyncio
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from wasm_grpc.cli.arguments import add_folder
from wasm_grpc.core.errors import ConfigError

__all__ = ["PARSER", "add_arguments", "execute"]

PARSER: Mapping[str, Any] = {
    "description": "Serve the sample functions, behind daprd where one is found;\n"
    "turn a picture grey, and read a digit. Serves until Ctrl-C; the web page comes in a later version.",
    "epilog": "example: wasm-grpc demo --port 0",
}

_OUTPUT = Path("demo-output")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """
    Declare the command's arguments.
    """
    add_folder(parser)
    parser.add_argument(
        "--port", type=int, default=50051, help="port of the server; 0 takes any (default: 50051)"
    )


def execute(options: argparse.Namespace, stdout: TextIO, stderr: TextIO) -> int:
    """
    Show the demo; 0 when it was ended by Ctrl-C or SIGTERM.
    """
    try:
        from wasm_grpc.demo.tour import Tour, show
    except ImportError as exc:
        raise ConfigError(f"the demo needs {exc.name}; expected wasm-grpc[demo] in this environment") from exc
    tour = Tour(
        functions=Path(options.folder),
        output=_OUTPUT,
        port=options.port,
        say=lambda line: print(line, file=stdout, flush=True),
    )
    return asyncio.run(_until_stopped(show(tour)))


async def _until_stopped(demo: Any) -> int:
    loop = asyncio.get_running_loop()
    task = loop.create_task(demo)
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        return 0
    return 1
