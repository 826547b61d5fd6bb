"""Whom a client calls."""

from __future__ import annotations

import pytest

from wasm_grpc.client.target import target_of
from wasm_grpc.core.errors import ConfigError

SIDECAR = (("dapr-app-id", "images"), ("dapr-stream", "true"))
BOTH = {"DAPR_API_TOKEN": "sidecar", "APP_API_TOKEN": "app", "DAPR_GRPC_PORT": "50009"}


@pytest.mark.parametrize(
    ("app_id", "address", "token", "environ", "target", "metadata"),
    [
        ("images", "", None, {}, "dns:127.0.0.1:50001", SIDECAR),
        ("images", "", None, BOTH, "dns:127.0.0.1:50009", (*SIDECAR, ("dapr-api-token", "sidecar"))),
        ("images", "host:1", "own", BOTH, "dns:host:1", (*SIDECAR, ("dapr-api-token", "own"))),
        ("images", "", "", BOTH, "dns:127.0.0.1:50009", SIDECAR),
        ("", "host:1", None, BOTH, "dns:host:1", (("dapr-api-token", "app"),)),
        ("", "unix:/run/functions", None, {}, "unix:/run/functions", ()),
    ],
    ids=["default", "environment", "arguments", "no token", "server", "socket"],
)
def test_a_target(
    app_id: str,
    address: str,
    token: str | None,
    environ: dict[str, str],
    target: str,
    metadata: tuple[tuple[str, str], ...],
) -> None:
    """An app is called through the sidecar and its token, a server with the app's."""
    found = target_of(app_id, address=address, token=token, environ=environ)

    assert (found.endpoint.target, found.endpoint.is_secure, found.metadata) == (target, False, metadata)


def test_a_target_by_tls() -> None:
    """An endpoint says that it wants TLS, as Dapr's do."""
    found = target_of("images", address="", token=None, environ={"DAPR_GRPC_ENDPOINT": "host:1?tls=true"})

    assert (found.endpoint.target, found.endpoint.is_secure) == ("dns:host:1", True)


def test_a_token_is_not_shown() -> None:
    """What a target prints as tells no token."""
    target = target_of("images", address="", token=None, environ={"DAPR_API_TOKEN": "secret"})

    assert ("dapr-api-token", "secret") in target.metadata
    assert "secret" not in repr(target)


@pytest.mark.parametrize(
    ("app_id", "address", "sentence"),
    [
        ("", "", "client: neither an app id nor an address; expected one of them"),
        ("images", "ftp://host", "address: 'ftp://host' is not an endpoint (invalid scheme 'ftp'"),
    ],
    ids=["nobody", "scheme"],
)
def test_no_target(app_id: str, address: str, sentence: str) -> None:
    """What names nobody is an error."""
    with pytest.raises(ConfigError) as caught:
        target_of(app_id, address=address, token=None, environ={})

    assert str(caught.value).startswith(sentence)
