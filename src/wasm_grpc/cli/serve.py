"""``wasm-grpc serve``: serve the functions of a folder."""

from __future__ import annotations

import argparse
import asyncio
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from wasm_grpc.app.serving import serve
from wasm_grpc.cli.arguments import add_engine, add_folder, duration_or_zero, setting_flags
from wasm_grpc.cli.background_logs import logging_in_background
from wasm_grpc.cli.configuration import hide_secrets, read_settings
from wasm_grpc.cli.logs import log_to

__all__ = ["PARSER", "add_arguments", "execute"]

PARSER: Mapping[str, Any] = {
    "description": "Serve every function below DIR to Dapr, until SIGTERM or Ctrl-C.\n"
    "When it is ready it prints one line: serving 127.0.0.1:50051 (2 functions, ...).",
    "epilog": "example: wasm-grpc serve functions --port 50051\n"
    "behind a sidecar: dapr run --app-id images --app-port 50051 --app-protocol grpc\n"
    "                  --enable-app-health-check -- wasm-grpc serve functions\n\n"
    "Every flag can also be a variable (WASM_GRPC_WORKERS=4) or a key of the TOML file that\n"
    "WASM_GRPC_CONFIG names; docs/settings.md lists all. The first signal lets running calls end\n"
    "(--drain), a second one stops them. Exits with 2 for a wrong function or flag, 1 for a port in use.",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """
    Declare the command's arguments.
    """
    add_folder(parser)
    parser.add_argument("--host", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, help="port; 0 takes any (default: APP_PORT, else 50051)")
    add_engine(parser)
    parser.add_argument("--workers", type=int, metavar="N", help="guests that run at once (default: cores)")
    parser.add_argument(
        "--max-workers", type=int, metavar="N", help="worker processes (default: 4 x --workers)"
    )
    parser.add_argument(
        "--only", nargs="+", action="extend", metavar="NAME", help="serve only these functions"
    )
    parser.add_argument(
        "--route",
        nargs="+",
        action="extend",
        dest="routes",
        metavar="METHOD=NAME",
        help="also serve a function as METHOD",
    )
    parser.add_argument(
        "--drain",
        type=duration_or_zero,
        dest="drain_s",
        metavar="TIME",
        help="time for running calls after SIGTERM (default: 4s)",
    )
    parser.add_argument(
        "--require-sandbox",
        action="store_const",
        const=True,
        help="refuse to serve if the kernel can't confine workers fully",
    )
    parser.add_argument(
        "--reflection",
        action="store_const",
        const=True,
        help="describe the services to tools such as grpcurl (gRPC server reflection)",
    )


def execute(options: argparse.Namespace, stdout: TextIO, stderr: TextIO) -> int:
    """
    Serve until a signal. Return 0 after draining.
    """
    log_to(stderr)
    settings = read_settings(setting_flags(options))
    hide_secrets()
    # Logs go through a thread, so that a slow reader can't block the event loop.
    with logging_in_background():
        asyncio.run(serve(Path(options.folder), settings, lambda line: print(line, file=stdout, flush=True)))
    # Ignore further signals, which would turn a clean exit into a failure.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    return 0
