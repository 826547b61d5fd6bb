"""Whom `wasm-grpc invoke` calls, and how it tells a failure."""

from __future__ import annotations

import argparse

import grpc
import pytest

from wasm_grpc.cli.callee import Callee, callee_of
from wasm_grpc.core.errors import ConfigError

ENVIRON = {"APP_API_TOKEN": "app", "DAPR_API_TOKEN": "sidecar", "DAPR_GRPC_PORT": "50009"}


@pytest.mark.parametrize(
    ("flags", "environ", "app_id", "address", "token"),
    [
        ({}, {}, "", "127.0.0.1:50051", ""),
        ({"address": "host:1"}, ENVIRON, "", "host:1", "app"),
        ({"app_id": "images"}, {}, "images", "127.0.0.1:50001", ""),
        ({"app_id": "images"}, ENVIRON, "images", "127.0.0.1:50009", "sidecar"),
    ],
    ids=["default", "server", "default sidecar", "sidecar"],
)
def test_a_callee(
    flags: dict[str, str], environ: dict[str, str], app_id: str, address: str, token: str
) -> None:
    """A server is called with the app's token, an app through the sidecar with the sidecar's."""
    options = argparse.Namespace(**{"address": None, "app_id": None, **flags})

    assert callee_of(options, environ) == Callee(app_id=app_id, address=address, token=token)


def test_an_empty_app_id() -> None:
    """An id that a script has left empty calls nobody else."""
    with pytest.raises(ConfigError, match=r"^--app-id: is empty; expected the id of an app$"):
        callee_of(argparse.Namespace(address=None, app_id=""), {})


@pytest.mark.parametrize(
    ("app_id", "code", "message", "line"),
    [
        ("", grpc.StatusCode.INTERNAL, "trap\n  at 5", "INTERNAL: trap at 5"),
        ("", grpc.StatusCode.UNAVAILABLE, "draining", "UNAVAILABLE: draining"),
        (
            "",
            grpc.StatusCode.UNAVAILABLE,
            "Failed to connect to all",
            "UNAVAILABLE: nothing answers at host:1; expected a running `wasm-grpc serve`",
        ),
        (
            "images",
            grpc.StatusCode.UNAVAILABLE,
            "failed to connect",
            "UNAVAILABLE: nothing answers at host:1; expected a Dapr sidecar; DAPR_GRPC_PORT names its port",
        ),
    ],
    ids=["lines", "server's own", "no server", "no sidecar"],
)
def test_a_failure_is_one_line(app_id: str, code: grpc.StatusCode, message: str, line: str) -> None:
    """A failure is its code and one line; where nobody answers, it says who should."""
    callee = Callee(app_id=app_id, address="host:1", token="")

    assert callee.failure_line(code, message) == line
