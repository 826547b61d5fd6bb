"""Where the sidecar is."""

from __future__ import annotations

import pytest

from wasm_grpc.core.errors import ConfigError
from wasm_grpc.dapr.endpoint import Endpoint, endpoint_from, parse_endpoint


@pytest.mark.parametrize(
    ("environ", "endpoint"),
    [
        ({}, ""),
        ({"DAPR_GRPC_PORT": ""}, ""),
        ({"DAPR_GRPC_PORT": "3001"}, "127.0.0.1:3001"),
        ({"DAPR_GRPC_PORT": "3001", "DAPR_GRPC_ENDPOINT": "dapr:443?tls=true"}, "dapr:443?tls=true"),
    ],
)
def test_daprs_variables(environ: dict[str, str], endpoint: str) -> None:
    """The endpoint wins over the port of this machine; without both there is no sidecar."""
    assert endpoint_from(environ) == endpoint


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("127.0.0.1:3001", Endpoint("dns:127.0.0.1:3001", is_secure=False)),
        ("dapr:443?tls=true", Endpoint("dns:dapr:443", is_secure=True)),
        ("https://dapr.example:8443", Endpoint("dns:dapr.example:8443", is_secure=True)),
        ("http://dapr:3001", Endpoint("dns:dapr:3001", is_secure=False)),
        ("unix:/run/dapr.sock", Endpoint("unix:/run/dapr.sock", is_secure=False)),
    ],
)
def test_an_endpoint_is_read(text: str, endpoint: Endpoint) -> None:
    """All forms of Dapr's SDKs are read, the old ones without a warning."""
    assert parse_endpoint(text) == endpoint


@pytest.mark.parametrize("text", ["ftp://dapr:1", "dapr:port", "http://dapr/path"])
def test_no_endpoint(text: str) -> None:
    """What is not an endpoint is told with the variable, and what was expected."""
    with pytest.raises(
        ConfigError, match=r"^DAPR_GRPC_ENDPOINT: '.*' is not an endpoint \(.*\); expected one such as"
    ):
        parse_endpoint(text)
