"""``wasm-grpc web``: serve the demo's page beside a sidecar."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
from collections.abc import Mapping
from typing import Any, TextIO

from wasm_grpc.cli.logs import log_to
from wasm_grpc.core.errors import ConfigError
from wasm_grpc.dapr.endpoint import sidecar_address
from wasm_grpc.server.address import check_address

__all__ = ["PARSER", "add_arguments", "execute"]

PARSER: Mapping[str, Any] = {
    "description": "Serve the demo's page, which calls the apps image-api-grayscale, image-api-classify and\n"
    "events-service through the sidecar. When it is ready it prints one line: page http://127.0.0.1:8080.",
    "epilog": "example: wasm-grpc web --port 8080\n"
    "beside a sidecar: dapr run --app-id web-port --max-body-size 20Mi -- wasm-grpc web\n\n"
    "The sidecar is at DAPR_GRPC_ENDPOINT or DAPR_GRPC_PORT; `wasm-grpc demo` starts everything.\n"
    "Exits with 0 after SIGTERM or Ctrl-C, 1 if the port is in use.",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """
    Declare the command's arguments.
    """
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, default=8080, help="port; 0 takes any (default: 8080)")


def execute(options: argparse.Namespace, stdout: TextIO, stderr: TextIO) -> int:
    """
    Serve until a signal, then return 0.
    """
    log_to(stderr, default="warning")
    try:
        from wasm_grpc.web.app import open_page
        from wasm_grpc.web.services import open_services
    except ImportError as exc:
        raise ConfigError(f"the page needs {exc.name}; expected wasm-grpc[demo] in this environment") from exc

    async def serve() -> None:
        await asyncio.to_thread(check_address, options.host, options.port)
        stopped = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        async with (
            open_services(
                sidecar_address(os.environ), token=os.environ.get("DAPR_API_TOKEN", "")
            ) as services,
            open_page(services, options.host, options.port) as address,
        ):
            print(f"page {address}", file=stdout, flush=True)
            await stopped.wait()

    asyncio.run(serve())
    return 0
