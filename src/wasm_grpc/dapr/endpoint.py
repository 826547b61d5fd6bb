"""Find the sidecar's gRPC endpoint in Dapr's environment variables."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass

from wasm_grpc.core.errors import ConfigError

__all__ = ["Endpoint", "endpoint_from", "parse_endpoint", "sidecar_address"]

_DEFAULT_SIDECAR = "127.0.0.1:50001"
"""daprd's default address for gRPC."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """
    The address that a gRPC channel connects to.

    Attributes:
        target: A target in gRPC's name syntax, such as ``dns:127.0.0.1:50001``.
        is_secure: The connection uses TLS.
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
    Return the endpoint of `endpoint_from`, else daprd's default address.
    """
    return endpoint_from(environ) or _DEFAULT_SIDECAR


def parse_endpoint(text: str) -> Endpoint:
    """
    Parse an endpoint as Dapr's SDKs do: ``host:port``, ``dns:host:port?tls=true``, ``unix:path``.

    Raises:
        ConfigError: It is not a valid endpoint.
    """
    # Imported here since it takes 30 ms, and most commands call no sidecar.
    from dapr.conf.helpers import GrpcEndpoint  # noqa: PLC0415

    try:
        with warnings.catch_warnings():
            # The parser warns about http:// and https://, which Dapr's documentation still shows.
            warnings.simplefilter("ignore", DeprecationWarning)
            parsed = GrpcEndpoint(text)
            return Endpoint(target=parsed.endpoint, is_secure=parsed.tls)
    except ValueError as exc:
        raise ConfigError(
            f"DAPR_GRPC_ENDPOINT: {text!r} is not an endpoint ({exc}); expected one such as '127.0.0.1:50001'"
        ) from exc
