"""What an end-to-end test calls: our server, its sidecar, and the sidecar of whoever calls."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from rig import Daprd, Reply, Server, free_port, serve

__all__ = ["APP_ID", "App", "run_app"]

APP_ID = "functions"
_BODY_LIMIT_BYTES = 20 << 20
"""Of the sidecars: above the largest body that a function takes, so that ours is the one that counts."""


@dataclass(frozen=True, kw_only=True)
class App:
    """A server with functions behind its sidecar; `caller` is the sidecar of another app."""

    server: Server
    sidecar: Daprd
    caller: Daprd

    async def invoke(
        self, method: str, body: bytes = b"", *, verb: str = "POST", headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Call a method by HTTP, from the caller's sidecar to the app's."""
        return await self.caller.invoke(APP_ID, method, body, verb=verb, headers=headers)


@asynccontextmanager
async def run_app(
    functions: Path,
    folder: Path,
    *flags: str,
    env: Mapping[str, str],
    body_limit_bytes: int | None = _BODY_LIMIT_BYTES,
    sidecar_flags: Sequence[str] = (),
    resources: Path | None = None,
) -> AsyncIterator[App]:
    """
    Run all three, with tokens; `flags` and `env` are for `wasm-grpc serve`, the sidecars log to `folder`.

    The limit is both sidecars', None being daprd's own; `sidecar_flags` are the app's, `resources` the caller's.
    """
    port = free_port()
    sidecar = Daprd(
        app_id=APP_ID,
        folder=folder,
        app_port=port,
        app_token="the app's token",  # noqa: S106 - of a test
        max_body_bytes=body_limit_bytes,
        arguments=sidecar_flags,
    )
    caller = Daprd(
        app_id="caller",
        folder=folder,
        api_token="the caller's token",  # noqa: S106 - of a test
        max_body_bytes=body_limit_bytes,
        resources=resources,
    )
    async with (
        serve(functions, *flags, port=port, env={**env, **sidecar.app_environment}) as server,
        sidecar,
        caller,
    ):
        await sidecar.app_ready()
        yield App(server=server, sidecar=sidecar, caller=caller)
