"""The sidecars of the demo's apps: daprd if it is installed, else the built-in development sidecar."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from wasm_grpc.demo.daprd import open_daprd, write_configuration, write_resources
from wasm_grpc.devsidecar.sidecar import open_dev_sidecars

__all__ = ["Sidecar", "open_sidecars"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sidecar:
    """
    One app's sidecar.

    Attributes:
        grpc_endpoint: Endpoint of its gRPC API.
        http_port: Port of its HTTP API; 0 for the development sidecar, which has none.
    """

    grpc_endpoint: str
    http_port: int = 0


@contextlib.asynccontextmanager
async def open_sidecars(
    apps: Mapping[str, str], *, daprd: str | None, folder: Path, grpc_ports: Mapping[str, int] | None = None
) -> AsyncIterator[Mapping[str, Sidecar]]:
    """
    Run a sidecar for each app, and yield them by app id once they are ready.

    Args:
        apps: The address of each app's server by app id; "" for an app that only calls others.
        daprd: Path of daprd; None uses the development sidecar.
        folder: Folder for logs.
        grpc_ports: The port of each sidecar's gRPC API by app id; any free one for the others.

    Raises:
        HostError: A sidecar did not start. The message names its log.
    """
    if daprd is None:
        async with open_dev_sidecars(apps, ports=grpc_ports) as endpoints:
            yield {app_id: Sidecar(grpc_endpoint=endpoint) for app_id, endpoint in endpoints.items()}
        return
    async with contextlib.AsyncExitStack() as stack:
        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="wasm-grpc-demo-"))
        configuration = write_configuration(Path(scratch))
        resources = write_resources(Path(scratch))
        running = {}
        for app_id, address in apps.items():
            sidecar = open_daprd(
                daprd,
                app_id,
                address,
                grpc_port=(grpc_ports or {}).get(app_id, 0),
                configuration=configuration,
                resources=resources,
                folder=folder,
            )
            running[app_id] = await stack.enter_async_context(sidecar)
        await asyncio.gather(*(each.wait_ready() for each in running.values()))
        yield {
            app_id: Sidecar(grpc_endpoint=f"127.0.0.1:{each.grpc_port}", http_port=each.http_port)
            for app_id, each in running.items()
        }
