"""Where the sidecar's gRPC API is, as Dapr's environment variables name it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass

from wasm_grpc.core.errors import ConfigError

__all__ = ["Endpoint", "endpoint_from", "parse_endpoint", "sidecar_address"]

_DEFAULT_SIDECAR = "127.0.0.1:50001"
"""Where daprd serves gRPC unless it is told otherwise."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """
    What a gRPC channel dials.

    Attributes:
        target: In gRPC's name syntax: ``dns:127.0.0.1:50001``.
        is_secure: The connection is by TLS.
    """

    target: str
    is_secure: bool


def endpoint_from(environ: Mapping[str, str]) -> str:
    """
    Return ``DAPR_GRPC_ENDPOINT``, else ``DAPR_GRPC_PORT`` on this machine, else "".
    """
    if endpoint := environ.get("DAPR_GRPC_ENDPOINT", ""):
        return endpoint
    port = environ.get("DAPR_GRPC_PORT", "")
    return f"127.0.0.1:{port}" if port else ""


def sidecar_address(environ: Mapping[str, str]) -> str:
    """
    Return what `endpoint_from` does, else where daprd listens by itself.
    """
    return endpoint_from(environ) or _DEFAULT_SIDECAR


def parse_endpoint(text: str) -> Endpoint:
    """
    Read an endpoint as Dapr's SDKs do: ``host:port``, ``dns:host:port?tls=true``, ``unix:path``.

    Raises:
        ConfigError: It is none.
    """
    # Imported here: it takes 30 ms, and most commands call no sidecar.
    from dapr.conf.helpers import GrpcEndpoint  # noqa: PLC0415

    try:
        with warnings.catch_warnings():
            # Of http:// and https://, which Dapr's documentation still shows.
            warnings.simplefilter("ignore", DeprecationWarning)
            parsed = GrpcEndpoint(text)
            return Endpoint(target=parsed.endpoint, is_secure=parsed.tls)
    except ValueError as exc:
        raise ConfigError(
            f"DAPR_GRPC_ENDPOINT: {text!r} is no endpoint ({exc}); expected one such as '127.0.0.1:50001'"
        ) from exc
