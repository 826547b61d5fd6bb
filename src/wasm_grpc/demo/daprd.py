"""Find, configure and start real sidecars (daprd) on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import shutil
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from wasm_grpc.core.errors import HostError
from wasm_grpc.demo.children import Child, child, free_ports

__all__ = ["Daprd", "find_daprd", "open_daprd", "write_configuration", "write_resources"]

_READY_S = 30.0
_POLL_S = 0.1
_BODY_LIMIT = "20Mi"
"""More than the demo's functions accept."""


@dataclass(frozen=True, slots=True)
class Daprd:
    """
    A running daprd.

    Attributes:
        http_port: Port of its HTTP API.
        grpc_port: Port of its gRPC API.
    """

    http_port: int
    grpc_port: int
    _process: Child

    async def wait_ready(self) -> None:
        """
        Wait until daprd reports that it is healthy, which includes its app.

        Raises:
            HostError: It is not ready in time, or has exited. The message names the log.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _READY_S
        # There is no event to wait for, so poll daprd's health endpoint, as its documentation recommends.
        while not await asyncio.to_thread(_is_ready, self.http_port):
            if self._process.has_ended:
                raise self._process.ended()
            if loop.time() > deadline:
                name, log = self._process.name, self._process.log
                raise HostError(f"{name}: not ready after {_READY_S:g} s; see {log}")
            await asyncio.sleep(_POLL_S)


def find_daprd(environ: Mapping[str, str] = os.environ) -> str | None:
    """
    Return the path of daprd: ``DAPRD``, then ``PATH``, then ``~/.dapr/bin``.
    """
    # Not `Path.home`, which raises for a user without a passwd entry.
    home = os.path.expanduser("~/.dapr/bin/daprd")  # noqa: PTH111
    candidates = (environ.get("DAPRD"), "daprd", home)
    return next(filter(None, (shutil.which(name) for name in candidates if name)), None)


def write_configuration(folder: Path) -> Path:
    """
    Write a Dapr Configuration and return its path. Sidecars that share it find each other without mDNS.

    Args:
        folder: Folder for the file and for the database of names, used for this run only.
    """
    names = folder.resolve() / "names.db"
    resolution = {
        "component": "sqlite",
        "version": "v1",
        "configuration": {"connectionString": str(names), "updateInterval": "5s"},
    }
    resource = {
        "apiVersion": "dapr.io/v1alpha1",
        "kind": "Configuration",
        "metadata": {"name": "demo"},
        "spec": {"nameResolution": resolution},
    }
    path = folder / "configuration.yaml"
    path.write_text(json.dumps(resource, indent=2))  # JSON is also valid YAML
    return path


def write_resources(folder: Path) -> Path:
    """
    Write the components of the sidecars into a new folder below `folder`, and return its path.

    There is one, the state store of the events service. It is in memory.
    """
    component = {
        "apiVersion": "dapr.io/v1alpha1",
        "kind": "Component",
        "metadata": {"name": "statestore"},
        "spec": {"type": "state.in-memory", "version": "v1", "metadata": []},
        "scopes": ["events-service"],
    }
    resources = folder / "resources"
    resources.mkdir()
    (resources / "statestore.yaml").write_text(json.dumps(component, indent=2))
    return resources


@contextlib.asynccontextmanager
async def open_daprd(
    daprd: str,
    app_id: str,
    address: str,
    *,
    configuration: Path,
    resources: Path,
    folder: Path,
    grpc_port: int = 0,
) -> AsyncIterator[Daprd]:
    """
    Start the sidecar of an app. Call `wait_ready` before using it.

    Args:
        daprd: Path of the program.
        app_id: Id of the app.
        address: Address of the app's server; "" for an app that only calls others.
        configuration: See `write_configuration`.
        resources: See `write_resources`.
        folder: Folder for the log.
        grpc_port: Port of its gRPC API; 0 takes any.

    Raises:
        HostError: It can't be started.
    """
    http_port, free_port, internal_port = free_ports(3)
    grpc_port = grpc_port or free_port
    flags = {
        "app-id": app_id,
        "app-protocol": "grpc",
        **({"app-port": address.rpartition(":")[2]} if address else {}),
        "config": configuration,
        "resources-path": resources,
        "dapr-http-port": http_port,
        "dapr-grpc-port": grpc_port,
        "dapr-internal-grpc-port": internal_port,
        "dapr-listen-addresses": "127.0.0.1",
        "dapr-internal-grpc-listen-address": "127.0.0.1",
        "max-body-size": _BODY_LIMIT,
        "enable-metrics": "false",
        "log-level": "warn",
    }
    command = [daprd, *(f"--{flag}={value}" for flag, value in flags.items())]
    # Without DAPR_HOST_IP daprd looks up its address in the network, and exits if there is only loopback.
    async with child(f"daprd-{app_id}", command, folder=folder, env={"DAPR_HOST_IP": "127.0.0.1"}) as process:
        yield Daprd(http_port, grpc_port, process)


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
        connection.request("GET", "/v1.0/healthz")
        return connection.getresponse().status == http.client.NO_CONTENT
    return False
