"""The target of a client's calls: an app through the sidecar, or a server directly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from wasm_grpc.core.errors import ConfigError
from wasm_grpc.dapr.channel import TOKEN_KEY
from wasm_grpc.dapr.endpoint import Endpoint, parse_endpoint, sidecar_address

__all__ = ["Target", "target_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """
    The target of a client's calls.

    Attributes:
        endpoint: Endpoint of the sidecar or the server.
        metadata: Metadata of every call.
    """

    endpoint: Endpoint
    metadata: tuple[tuple[str, str], ...] = field(repr=False)


def target_of(app_id: str, *, address: str, token: str | None, environ: Mapping[str, str]) -> Target:
    """
    Return the target of calls.

    Args:
        app_id: The app, for calls through the sidecar; "" to call a server directly.
        address: Address of the server, or of the sidecar ("" takes it from the environment).
        token: API token; ``None`` takes it from the environment, "" means none.
        environ: The process's environment.

    Raises:
        ConfigError: There is neither an app id nor an address, or the address is invalid.
    """
    if not app_id and not address:
        raise ConfigError("client: neither an app id nor an address; expected one of them")
    if token is None:
        token = environ.get("DAPR_API_TOKEN" if app_id else "APP_API_TOKEN", "")
    # Without `dapr-stream` the sidecar's resiliency policies treat the whole stream as one attempt.
    to_app = (("dapr-app-id", app_id), ("dapr-stream", "true")) if app_id else ()
    return Target(
        endpoint=_endpoint(address) if address else parse_endpoint(sidecar_address(environ)),
        metadata=(*to_app, *(((TOKEN_KEY, token),) if token else ())),
    )


def _endpoint(address: str) -> Endpoint:
    try:
        return parse_endpoint(address)
    except ConfigError as exc:
        raise ConfigError(
            f"address: {address!r} is not an endpoint ({exc.__cause__}); "
            "expected one such as '127.0.0.1:50051'"
        ) from exc
