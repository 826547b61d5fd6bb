"""The functions that are served now, found by what a call carries."""

from __future__ import annotations

from pathlib import Path

from pydantic import TypeAdapter

from wasm_grpc.catalogue.function import Function
from wasm_grpc.catalogue.routes import Route, make_catalogue
from wasm_grpc.invocation.deployment import Deployment
from wasm_grpc.manifest.tables import FunctionManifest

MANIFEST = TypeAdapter(FunctionManifest).validate_python(
    {
        "name": "f",
        "module": "f.wasm",
        "guest": "wapc",
        "trigger": {"invoke": [{"method": "orders/*"}], "job": [{"name": "nightly"}]},
    }
)


def _deployment() -> Deployment:
    return Deployment(make_catalogue([Function(folder=Path("f"), manifest=MANIFEST)]))


def test_a_method() -> None:
    """It has a route and a function."""
    assert _deployment().find_method("orders/5", "GET") == (
        Route(function="f", call="orders", path_info="/5"),
        MANIFEST,
    )


def test_a_name() -> None:
    """It has a route and a function, for its own kind of trigger alone."""
    deployment = _deployment()

    assert deployment.find_named("job", "nightly") == (
        Route(function="f", call="nightly", path_info=""),
        MANIFEST,
    )
    assert deployment.find_named("binding", "nightly") is None
