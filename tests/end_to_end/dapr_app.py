"""An app whose functions call Dapr: our server, its sidecar with a component of each kind, and Redis behind them."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import wasmtime
from redis.asyncio import Redis

from rig import PUBSUB, Broker, Daprd, Reply, Server, broker, free_port, serve

__all__ = [
    "APP_ID",
    "BINDING",
    "CONFIGURATION",
    "SECRETS",
    "STATE",
    "Component",
    "DaprApp",
    "run_dapr_app",
    "write_caller",
    "write_components",
]

APP_ID = "shop"
STATE, SECRETS, CONFIGURATION, BINDING = "statestore", "vault", "settings", "folder"
API_TOKEN = "the sidecar's token"
Component = tuple[str, Mapping[str, str]]
"""Type and metadata of a component."""
_CALLER = Path(__file__).with_name("dapr_calls.wat")


def write_caller(folder: Path, name: str, grants: str, *, sections: str = "") -> Path:
    """Write a function that makes the call to Dapr that its body describes, with these grants."""
    place = folder / name
    place.mkdir(parents=True)
    (place / f"{name}.wasm").write_bytes(wasmtime.wat2wasm(_CALLER.read_text()))
    manifest = f'name = "{name}"\nmodule = "{name}.wasm"\n{sections}\n[[trigger.invoke]]\nmethod = "{name}"\n'
    (place / "function.toml").write_text(f"{manifest}\n[capabilities.dapr]\n{grants}\n")
    return place


def write_components(
    resources: Path, redis_host: str, folder: Path, more: Mapping[str, Component] | None = None
) -> None:
    """Write a state store, a secret store, a configuration store, a binding and more into a sidecar's resources."""
    secrets = folder / "secrets.json"
    secrets.write_text(json.dumps({"DB_URL": "postgres://user:pass@db", "API_KEY": "hidden", "DB_USER": "u"}))
    files = folder / "files"
    files.mkdir()
    redis = {"redisHost": redis_host, "redisPassword": ""}
    components: dict[str, Component] = {
        STATE: ("state.redis", {**redis, "keyPrefix": "name"}),
        CONFIGURATION: ("configuration.redis", redis),
        SECRETS: ("secretstores.local.file", {"secretsFile": str(secrets)}),
        BINDING: ("bindings.localstorage", {"rootPath": str(files)}),
        **(more or {}),
    }
    for name, (kind, metadata) in components.items():
        component = {
            "apiVersion": "dapr.io/v1alpha1",
            "kind": "Component",
            "metadata": {"name": name},
            "spec": {
                "type": kind,
                "version": "v1",
                "metadata": [{"name": key, "value": value} for key, value in metadata.items()],
            },
        }
        (resources / f"{name}.yaml").write_text(json.dumps(component))


@dataclass(frozen=True, kw_only=True)
class DaprApp:
    """The server, its sidecar and what is behind it."""

    server: Server
    sidecar: Daprd
    broker: Broker
    redis: Redis
    files: Path

    async def saved(self, key: str) -> Reply:
        """Read a key of the state store past the functions; its ETag is a header."""
        return await self.sidecar.request("GET", f"/v1.0/state/{STATE}/{key}")

    async def call(self, function: str, method: str, request: Mapping[str, Any], form: str = "json") -> Reply:
        """Let a function call a method of Dapr's API with a request in JSON."""
        body = f"{form} {method}\n".encode() + json.dumps(request).encode()
        return await self.sidecar.invoke(APP_ID, function, body)

    async def response(self, function: str, method: str, request: Mapping[str, Any]) -> Any:
        """Let a function call a method of Dapr's API, which must succeed; return the response."""
        reply = await self.call(function, method, request)
        assert reply.status == 200, reply
        return json.loads(reply.body)

    async def error(self, function: str, method: str, request: Mapping[str, Any]) -> str:
        """Let a function call a method of Dapr's API, which must fail; return what the caller is told."""
        reply = await self.call(function, method, request)
        assert reply.status != 200, reply
        return str(json.loads(reply.body)["message"])

    async def value(self, function: str, key: str) -> bytes | None:
        """Let a function read a key of the state store; None if it doesn't exist."""
        found = await self.response(function, "GetState", {"storeName": STATE, "key": key})
        return base64.b64decode(found.get("data", "")) if found.get("etag") else None


@asynccontextmanager
async def run_dapr_app(
    functions: Path,
    folder: Path,
    *flags: str,
    env: Mapping[str, str],
    has_tokens: bool = True,
    components: Mapping[str, Component] | None = None,
    policy: str = "",
    log_level: str = "info",
    app_id: str = APP_ID,
) -> AsyncIterator[DaprApp]:
    """
    Run all of it, with more components by name, and the text of a resiliency policy.

    `flags` and `env` are for `wasm-grpc serve`, `log_level` is the sidecar's.
    """
    async with broker(folder, has_policy=False) as running:
        address = json.loads((running.resources / "pubsub.yaml").read_text())
        host = next(each["value"] for each in address["spec"]["metadata"] if each["name"] == "redisHost")
        await asyncio.to_thread(write_components, running.resources, host, folder, components)
        if policy:
            (running.resources / "resiliency.yaml").write_text(policy)
        sidecar = Daprd(
            app_id=app_id,
            folder=folder,
            app_port=free_port(),
            app_token="the app's token" if has_tokens else "",
            api_token=API_TOKEN if has_tokens else "",
            resources=running.resources,
            # Else it waits at the end for calls that nobody answers.
            arguments=["--dapr-graceful-shutdown-seconds=1", f"--log-level={log_level}"],
        )
        name, _, port = host.partition(":")
        async with (
            Redis(host=name, port=int(port)) as redis,
            sidecar,
            serve(
                functions, *flags, port=sidecar.app_port or 0, env={**sidecar.app_environment, **env}
            ) as server,
        ):
            await sidecar.app_ready()
            yield DaprApp(server=server, sidecar=sidecar, broker=running, redis=redis, files=folder / "files")


__all__ += ["PUBSUB"]
