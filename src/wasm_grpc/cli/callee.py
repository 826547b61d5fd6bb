"""The target of ``wasm-grpc invoke``, from flags and environment, and the line for a failed call."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field

import grpc

from wasm_grpc.core.errors import ConfigError
from wasm_grpc.dapr.endpoint import sidecar_address

__all__ = ["DEFAULT_ADDRESS", "Callee", "callee_of"]

DEFAULT_ADDRESS = "127.0.0.1:50051"


@dataclass(frozen=True, slots=True, kw_only=True)
class Callee:
    """
    The server or app to call.

    Attributes:
        app_id: The app, called through the sidecar; "" to call a server directly.
        address: Address of the server or the sidecar.
        token: API token; "" for none.
    """

    app_id: str
    address: str
    token: str = field(repr=False)

    def failure_line(self, code: grpc.StatusCode, message: str) -> str:
        """
        Return the line for a call that failed: ``CODE: message``.
        """
        if code is grpc.StatusCode.UNAVAILABLE and "failed to connect" in message.lower():
            wanted = (
                "a Dapr sidecar; DAPR_GRPC_PORT names its port"
                if self.app_id
                else "a running `wasm-grpc serve`"
            )
            message = f"nothing answers at {self.address}; expected {wanted}"
        return f"{code.name}: {' '.join(message.split())}"


def callee_of(options: argparse.Namespace, environ: Mapping[str, str]) -> Callee:
    """
    Return the target that ``--address`` or ``--app-id`` gives.

    Raises:
        ConfigError: The app id is empty.
    """
    if options.app_id is None:
        address = options.address or DEFAULT_ADDRESS
        return Callee(app_id="", address=address, token=environ.get("APP_API_TOKEN", ""))
    if not options.app_id:
        raise ConfigError("--app-id: is empty; expected the id of an app")
    return Callee(
        app_id=options.app_id,
        address=sidecar_address(environ),
        token=environ.get("DAPR_API_TOKEN", ""),
    )
