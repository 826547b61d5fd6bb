"""The processes that the demo starts, and ends."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

from wasm_grpc.core.errors import HostError

__all__ = ["child", "find_daprd", "free_ports", "serve_command", "sidecar_command"]

_STOP_S = 10.0
"""The longest wait for a child to end by itself; daprd drains for 5 s at most when idle."""


def find_daprd(environ: Mapping[str, str] = os.environ) -> str | None:
    """
    Give the path of daprd: ``DAPRD``, then ``PATH``, then ``~/.dapr/bin``.
    """
    candidates = (environ.get("DAPRD"), "daprd", str(Path.home() / ".dapr" / "bin" / "daprd"))
    return next(filter(None, (shutil.which(name) for name in candidates if name)), None)


def free_ports(count: int) -> list[int]:
    """
    Give so many free TCP ports of the loopback interface.
    """
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]


def serve_command(folder: Path, port: int) -> list[str]:
    """
    Give the command that serves a folder of functions.
    """
    return [sys.executable, "-m", "wasm_grpc", "serve", str(folder), "--port", str(port)]


def sidecar_command(daprd: str, *, app_id: str, app_port: int, http_port: int, grpc_port: int) -> list[str]:
    """
    Give the command of a sidecar on loopback, without components.
    """
    (internal_port,) = free_ports(1)
    return [
        daprd,
        f"--app-id={app_id}",
        f"--app-port={app_port}",
        "--app-protocol=grpc",
        f"--dapr-http-port={http_port}",
        f"--dapr-grpc-port={grpc_port}",
        f"--dapr-internal-grpc-port={internal_port}",
        "--dapr-listen-addresses=127.0.0.1",
        "--dapr-internal-grpc-listen-address=127.0.0.1",
        "--enable-metrics=false",
        "--log-level=warn",
    ]


@contextlib.asynccontextmanager
async def child(
    command: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """
    Start a process whose standard error goes to a file; at the end it is asked to stop, then made to.

    Raises:
        HostError: It can't be started.
    """
    with log.open("wb") as file:
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=file,
                env={**os.environ, **(env or {})},
            )
        except OSError as exc:
            raise HostError(f"{command[0]}: can't be started: {exc.strerror}; expected a program") from exc
    try:
        yield process
    finally:
        await asyncio.shield(_stop(process))


async def _stop(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), _STOP_S)
    except asyncio.TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
