"""``wasm-grpc demo``: start the web page, its functions and their sidecars in one command."""

from __future__ import annotations

import argparse
import asyncio
import signal
import webbrowser
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from wasm_grpc.cli.arguments import add_folder
from wasm_grpc.core.errors import ConfigError

__all__ = ["PARSER", "add_arguments", "execute"]

PARSER: Mapping[str, Any] = {
    "description": "Run the demo, four Dapr apps: a web page, two functions for pictures, and one that\n"
    "keeps what they report.\n"
    "It uses daprd if it is installed, else a built-in sidecar for development.\n"
    "When it is ready it prints one line, page http://127.0.0.1:8080, and serves until Ctrl-C.",
    "epilog": "example: wasm-grpc demo --port 0 --open\n\nThe logs of all processes are in demo-output/.",
}

_OUTPUT = Path("demo-output")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """
    Declare the command's arguments.
    """
    add_folder(parser)
    parser.add_argument(
        "--port", type=int, default=8080, help="port of the page; 0 takes any (default: 8080)"
    )
    parser.add_argument("--open", action="store_true", help="open the page in the browser")


def execute(options: argparse.Namespace, stdout: TextIO, stderr: TextIO) -> int:
    """
    Run the demo. Return 0 after Ctrl-C or SIGTERM.
    """
    try:
        import wasm_grpc.web.app  # noqa: F401 - fail before anything is started
        from wasm_grpc.demo.show import Demo, show
    except ImportError as exc:
        raise ConfigError(f"the demo needs {exc.name}; expected wasm-grpc[demo] in this environment") from exc

    def announce(line: str) -> None:
        print(line, file=stdout, flush=True)
        if options.open:
            webbrowser.open(line.split()[1])

    demo = Demo(
        functions=Path(options.folder),
        output=_OUTPUT,
        port=options.port,
        announce=announce,
        log=lambda line: print(line, file=stderr, flush=True),
    )
    return asyncio.run(_until_stopped(show(demo)))


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
