"""Run the demo: serve the functions, start a sidecar for each app, serve the page, wait."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from wasm_grpc.core.errors import HostError
from wasm_grpc.core.interpreter import isolated_command
from wasm_grpc.demo.children import Child, child, free_ports
from wasm_grpc.demo.daprd import find_daprd
from wasm_grpc.demo.sidecars import Sidecar, open_sidecars
from wasm_grpc.server.address import check_address

__all__ = ["Demo", "show"]

_HOST = "127.0.0.1"
_WEB_APP = "web-port"
_IMAGE_METHOD = "api/image"
_APPS = {
    "image-api-grayscale": ("--only", "grayscale", "--route", f"{_IMAGE_METHOD}=grayscale"),
    "image-api-classify": ("--only", "classify", "--route", f"{_IMAGE_METHOD}=classify"),
    "events-service": ("--only", "events"),
}
"""What each app serves, as in the original demo."""
_READY_S = 120.0
"""Longest wait for a server, which compiles its function on the first start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """
    The demo's options.

    Attributes:
        functions: Folder of the functions.
        output: Folder for logs.
        port: Port of the page; 0 takes any.
        announce: Prints the one line with the page's address.
        log: Prints a line of information.
    """

    functions: Path
    output: Path
    port: int
    announce: Callable[[str], None]
    log: Callable[[str], None]


async def show(demo: Demo) -> None:
    """
    Run the demo until it is cancelled. Then stop every process that it started.

    Raises:
        PortInUseError: The page's port is taken.
        HostError: A process did not start, or has exited. The message has its last log lines, or its log.
    """
    await asyncio.to_thread(check_address, _HOST, demo.port)
    demo.output.mkdir(parents=True, exist_ok=True)
    daprd = find_daprd()
    demo.log(
        f"sidecars {daprd}"
        if daprd
        else "built-in sidecars, for development only: no daprd in DAPRD, PATH or ~/.dapr/bin"
    )
    async with contextlib.AsyncExitStack() as stack:
        # A server is told its sidecar's port before the sidecar runs, which is told the server's.
        ports = dict(zip(_APPS, free_ports(len(_APPS)), strict=True))
        servers = {
            app_id: await stack.enter_async_context(
                child(
                    app_id,
                    _command("serve", str(demo.functions), *flags, "--port", "0"),
                    folder=demo.output,
                    env={"DAPR_GRPC_ENDPOINT": f"{_HOST}:{ports[app_id]}"},
                )
            )
            for app_id, flags in _APPS.items()
        }
        addresses = await asyncio.gather(*(_address(server, demo) for server in servers.values()))
        apps = {**dict(zip(_APPS, addresses, strict=True)), _WEB_APP: ""}
        sidecars = await stack.enter_async_context(
            open_sidecars(apps, grpc_ports=ports, daprd=daprd, folder=demo.output)
        )
        env = {"DAPR_GRPC_ENDPOINT": sidecars[_WEB_APP].grpc_endpoint}
        web = await stack.enter_async_context(
            child(_WEB_APP, _command("web", "--port", str(demo.port)), folder=demo.output, env=env)
        )
        page = await web.line(r"^page (\S+)$", seconds=_READY_S)
        for line in _hints(sidecars, page[1]):
            demo.log(line)
        demo.announce(page[0])
        await _first_end([*servers.values(), web])


def _command(*arguments: str) -> list[str]:
    return [*isolated_command(sys.executable, "wasm_grpc"), *arguments]


async def _address(server: Child, demo: Demo) -> str:
    found = await server.line(r"^serving (\S+) \((.*)\)$", seconds=_READY_S)
    demo.log(f"{server.name} {found[2]}")
    return found[1]


def _hints(sidecars: Mapping[str, Sidecar], page: str) -> list[str]:
    """
    Return lines that show how to call a function without the page, from a shell with curl.
    """
    sidecar = sidecars[_WEB_APP]
    url = f"{page}/api/hello"
    if sidecar.http_port:
        path = f"image-api-grayscale/method/{_IMAGE_METHOD}"
        url = f"http://127.0.0.1:{sidecar.http_port}/v1.0/invoke/{path}"
    call = f"curl -s {page}/sample.png | curl -s --fail-with-body --data-binary @- {url} -o grey.png"
    return [f"try {call}", "Ctrl-C ends it"]


async def _first_end(children: list[Child]) -> None:
    """
    Wait for a child to exit, which is an error.
    """
    waits = {asyncio.ensure_future(each.wait()): each for each in children}
    try:
        done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
    ended = waits[done.pop()]
    raise HostError(f"{ended.name}: has exited; expected it to keep serving; see {ended.log}")
