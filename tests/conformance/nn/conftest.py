"""The inference backend of this interpreter, on which each engine's tests run."""

from __future__ import annotations

import os

import pytest

from wasm_grpc.core.errors import InferenceUnavailableError
from wasm_grpc.inference.protocol import Backend
from wasm_grpc.inference.registry import open_backend

__all__ = ["backend"]


@pytest.fixture(scope="session")
def backend() -> Backend:
    """Open the backend that this interpreter has."""
    try:
        return open_backend()
    except InferenceUnavailableError as exc:
        # Not `rig.skip`: the rig needs libraries that the worker tower's environment has not.
        give_up = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        give_up(str(exc))
