"""A real Dapr sidecar on loopback ports of its own."""

from __future__ import annotations

import asyncio
import io
import json
import os
import shutil
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import final

import aiohttp
from yarl import URL

from rig.ports import HOST
from rig.processes import Child, child
from rig.settings import SidecarSettings
from rig.skip import need

__all__ = ["Daprd", "Reply", "find_daprd"]

REPOSITORY = Path(__file__).resolve().parents[2]
START_TIMEOUT_S = 15.0
REQUEST_TIMEOUT_S = 15.0
POLL_INTERVAL_S = 0.02


def find_daprd() -> Path | None:
    """Return the daprd to run: `DAPRD`, else this repository's build, one on the PATH, the Dapr CLI's."""
    on_path = shutil.which("daprd")
    candidates = [
        REPOSITORY / ".tools" / "bin" / "daprd",
        *([Path(on_path)] if on_path else []),
        Path.home() / ".dapr" / "bin" / "daprd",
    ]
    if chosen := os.environ.get("DAPRD"):
        candidates = [Path(chosen)]
    return next((path for path in candidates if os.access(path, os.X_OK)), None)


@dataclass(frozen=True)
class Reply:
    """An HTTP response, read to its end; `headers` ignore case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@final
class Daprd(SidecarSettings):
    """A sidecar that runs while its context lasts; where there is no daprd, entering skips the test."""

    process: Child
    _session: aiohttp.ClientSession
    _context: AsyncExitStack

    async def __aenter__(self) -> Daprd:
        """Start the sidecar and wait until it can be called; its app may come later."""
        async with AsyncExitStack() as context:
            binary = await asyncio.to_thread(self._prepare)
            running = child(binary, *self.flags(), env=self.sidecar_environment(), log=self.log_file)
            self.process = await context.enter_async_context(running)
            self._session = await context.enter_async_context(aiohttp.ClientSession())
            await self._answers("/v1.0/healthz/outbound", timeout_s=START_TIMEOUT_S)
            self._context = context.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop the sidecar."""
        await self._context.aclose()

    @property
    def grpc_address(self) -> str:
        """The address of the sidecar's gRPC API."""
        return f"{HOST}:{self.grpc_port}"

    async def app_ready(self, *, timeout_s: float = START_TIMEOUT_S) -> None:
        """
        Wait until the sidecar has found its app, and the scheduler and placement that it was told of.

        Once is all: it stays so when the app goes.
        With health checks on, an app that fails them is found, and yet gets no call.
        """
        await self._answers("/v1.0/healthz", timeout_s=timeout_s)

    async def invoke(
        self,
        app_id: str,
        method: str,
        body: bytes = b"",
        *,
        verb: str = "POST",
        headers: Mapping[str, str] | None = None,
        timeout_s: float = REQUEST_TIMEOUT_S,
    ) -> Reply:
        """Call a method of an app through the sidecar's HTTP API; `method` may end in `?` and a query."""
        path = f"/v1.0/invoke/{app_id}/method/{method}"
        return await self.request(verb, path, body, headers=headers, timeout_s=timeout_s)

    async def request(
        self,
        verb: str,
        path: str,
        body: bytes = b"",
        *,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = REQUEST_TIMEOUT_S,
    ) -> Reply:
        """Send the sidecar's HTTP API a request; `path` goes out as it is, already encoded."""
        url = URL(f"http://{HOST}:{self.http_port}{path}", encoded=True)
        token = {"dapr-api-token": self.api_token} if self.api_token else {}
        both = {**token, **(headers or {})}
        limit = aiohttp.ClientTimeout(total=timeout_s)
        file = io.BytesIO(body)  # aiohttp warns of large bodies that are bytes
        async with self._session.request(verb, url, data=file, headers=both, timeout=limit) as response:
            return Reply(response.status, response.headers, await response.read())

    def _prepare(self) -> Path:
        """Find daprd and write its Configuration: as JSON, which is YAML as well."""
        binary = need(find_daprd(), "no daprd: tests/daprd/build makes one with Go, or DAPRD names one")
        self.configuration_file.write_text(json.dumps(self.configuration_resource(), indent=2))
        return binary

    async def _answers(self, path: str, *, timeout_s: float) -> None:
        """Poll a health path until it is 204: daprd offers nothing to wait on."""
        now = asyncio.get_running_loop().time
        deadline = now() + timeout_s
        answer = "no answer"
        while now() < deadline:
            if self.process.exit_code is not None:
                raise self.process.failed(f"exit code {self.process.exit_code} before {path} answered")
            try:
                reply = await self.request("GET", path, timeout_s=timeout_s)
            except aiohttp.ClientConnectionError:
                pass  # not listening yet
            else:
                if reply.status == HTTPStatus.NO_CONTENT:
                    return
                answer = f"{reply.status} {reply.body.decode(errors='replace')}"
            await asyncio.sleep(POLL_INTERVAL_S)
        raise self.process.failed(f"{path} after {timeout_s:g} s: {answer}; expected 204")
