"""A server's connection to its sidecar, which is waited for where something needs it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from wasm_grpc.core.settings import Settings
from wasm_grpc.dapr.sidecar import Sidecar, open_sidecar

__all__ = ["Connection", "open_connection"]


class Connection:
    """
    The connection to the sidecar that the settings name.

    Attributes:
        sidecar: The sidecar; None if none is configured.
    """

    def __init__(self, sidecar: Sidecar | None, settings: Settings) -> None:
        self.sidecar = sidecar
        self._wait_s = settings.sidecar_wait_s
        self._app_id: str | None = None

    async def wait(self) -> str:
        """
        Wait until the sidecar answers, and return its app id; "" if none is configured.

        Raises:
            SidecarError: It doesn't answer in time, or it refuses the token.
        """
        if self.sidecar is None:
            return ""
        if self._app_id is None:
            self._app_id = await self.sidecar.wait(self._wait_s)
        return self._app_id


@contextlib.asynccontextmanager
async def open_connection(settings: Settings) -> AsyncIterator[Connection]:
    """
    Open the connection. The sidecar need not run yet.

    Raises:
        ConfigError: Its endpoint is not valid.
    """
    if not settings.dapr_grpc_endpoint:
        yield Connection(None, settings)
        return
    async with open_sidecar(settings.dapr_grpc_endpoint, token=settings.dapr_api_token) as sidecar:
        yield Connection(sidecar, settings)
