"""Which backend serves, and what is said where none does."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
import sys
import types
from importlib.machinery import ModuleSpec

import pytest

from wasm_grpc.core.errors import InferenceUnavailableError
from wasm_grpc.inference.registry import open_backend

__all__ = []

HERE = f"{platform.python_implementation()} {platform.python_version()}"
REMEDY = "expected 'wasm-grpc[inference]' there (`make setup` installs it)"


def install(monkeypatch: pytest.MonkeyPatch, packages: dict[str, bool]) -> None:
    """Let only these packages be found; those that are False don't load."""
    for package, loads in packages.items():
        module = types.ModuleType(f"{package}.interpreter")
        module.Interpreter = object  # type: ignore[attr-defined]
        parent = types.ModuleType(package)
        parent.__path__ = []
        monkeypatch.setitem(sys.modules, package, parent)
        # None makes the import fail.
        monkeypatch.setitem(sys.modules, f"{package}.interpreter", module if loads else None)
    numpy = types.ModuleType("numpy")
    numpy.frombuffer = bytes  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "numpy", numpy)

    def find_spec(name: str) -> ModuleSpec | None:
        return ModuleSpec(name, None) if name in packages else None

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "9.9")


@pytest.mark.parametrize(
    ("packages", "name"),
    [
        ({"ai_edge_litert": True}, "ai-edge-litert"),
        ({"tflite_runtime": True}, "tflite-runtime"),
        ({"ai_edge_litert": True, "tflite_runtime": True}, "ai-edge-litert"),
        ({"ai_edge_litert": False, "tflite_runtime": True}, "tflite-runtime"),
    ],
    ids=["the preferred", "the other alone", "both", "the preferred does not load"],
)
def test_which_serves(monkeypatch: pytest.MonkeyPatch, packages: dict[str, bool], name: str) -> None:
    """ai-edge-litert where it loads, else tflite-runtime."""
    install(monkeypatch, packages)

    backend = open_backend()

    assert (backend.name, backend.version) == (name, "9.9")


@pytest.mark.parametrize(
    ("packages", "message"),
    [
        ({}, f"no inference backend in {HERE}; {REMEDY}"),
        (
            {"tflite_runtime": False},
            f"no inference backend in {HERE} (tflite-runtime does not load: "
            f"import of tflite_runtime.interpreter halted; None in sys.modules); {REMEDY}",
        ),
    ],
    ids=["none", "does not load"],
)
def test_none_serves(monkeypatch: pytest.MonkeyPatch, packages: dict[str, bool], message: str) -> None:
    """The interpreter is named, and the remedy."""
    install(monkeypatch, packages)

    with pytest.raises(InferenceUnavailableError) as caught:
        open_backend()

    assert str(caught.value) == message
