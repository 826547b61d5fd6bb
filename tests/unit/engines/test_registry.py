"""Opening engines by name."""

from __future__ import annotations

import sys

import pytest

from wasm_grpc.core.errors import EngineUnavailableError
from wasm_grpc.core.model import EngineName
from wasm_grpc.engines.registry import open_engine


@pytest.mark.parametrize(
    ("name", "package", "remedy"),
    [
        (EngineName.WASMER, "wasmer", "expected CPython 3.10 or older with 'wasm-grpc[wasmer]'"),
        (EngineName.WASMTIME, "wasmtime", "expected 'wasm-grpc[wasmtime]'"),
    ],
)
def test_a_missing_engine_is_told_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch, name: EngineName, package: str, remedy: str
) -> None:
    """The error names the engine, the interpreter that lacks it, and what to install."""
    monkeypatch.setitem(sys.modules, package, None)
    for module in [module for module in sys.modules if module.startswith(f"wasm_grpc.engines.{package}")]:
        monkeypatch.delitem(sys.modules, module)

    with pytest.raises(EngineUnavailableError) as caught:
        open_engine(name)

    text = str(caught.value)
    here = f"CPython {sys.version_info.major}.{sys.version_info.minor}."
    assert text.startswith(f"engine {name.value}: not installed in {here}")
    assert text.endswith(f"; {remedy}")


def test_the_fake_is_always_there() -> None:
    """The engine for tests needs no package."""
    assert open_engine(EngineName.FAKE).name == "fake"
