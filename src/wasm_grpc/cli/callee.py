"""Whom ``wasm-grpc invoke`` calls, as its flags and the environment say, and how it tells a failed call."""

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
    A server, or an app behind the sidecar.

    Attributes:
        app_id: The app; "" for a server.
        address: Of the server or of the sidecar.
        token: "" for none.
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
    Return what ``--address`` or ``--app-id`` says.

    Raises:
        ConfigError: The app id is empty.
    """
    if options.app_id is None:
        address = options.address or DEFAULT_ADDRESS
        return Callee(app_id="", address=address, token=environ.get("APP_API_TOKEN", ""))
    if not options.app_id:
        raise ConfigError("--app-id: it is empty; expected the id of an app")
    return Callee(
        app_id=options.app_id,
        address=sidecar_address(environ),
        token=environ.get("DAPR_API_TOKEN", ""),
    )
