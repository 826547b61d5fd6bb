"""The models that are committed are those that the script beside them makes."""

from __future__ import annotations

import pytest

from models import model_bytes

__all__ = []

build = pytest.importorskip(
    "models.build", reason="ai-edge-litert: not installed; it has the schema of models"
)


@pytest.mark.parametrize("name", build.MODELS)
def test_committed_model(name: str) -> None:
    """Byte for byte."""
    assert build.MODELS[name]().serialised() == model_bytes(name)
