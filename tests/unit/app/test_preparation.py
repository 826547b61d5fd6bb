"""Which engines a function may run on."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter

from wasm_grpc.app.preparation import engines_of
from wasm_grpc.core.model import EngineName
from wasm_grpc.core.settings import make_settings
from wasm_grpc.manifest.tables import FunctionManifest

WASMER, WASMTIME = EngineName.WASMER, EngineName.WASMTIME


@pytest.mark.parametrize(
    ("flag", "manifest", "engines"),
    [
        ("auto", None, (WASMER, WASMTIME)),
        ("auto", "wasmtime", (WASMTIME,)),
        ("auto", "wasmer", (WASMER,)),
        ("wasmer", None, (WASMER,)),
        ("wasmer", "wasmtime", (WASMER,)),
    ],
    ids=["neither", "manifest", "manifest's Wasmer", "flag", "flag above manifest"],
)
def test_the_engines_of_a_function(flag: str, manifest: str | None, engines: tuple[EngineName, ...]) -> None:
    """A flag wins over the manifest; without either Wasmer is preferred, and Wasmtime takes what it refuses."""
    document = {"name": "f", "module": "f.wasm", "trigger": {"invoke": [{"method": "f"}]}}
    if manifest is not None:
        document["engine"] = manifest

    found = engines_of(
        TypeAdapter(FunctionManifest).validate_python(document), make_settings({"engine": flag})
    )

    assert found == engines
