"""Each test of this folder runs once for every engine that this interpreter has, on its inference backend."""

from __future__ import annotations

import os

import pytest

from conformance.engines.table import ENGINES
from wasm_grpc.core.errors import InferenceUnavailableError
from wasm_grpc.engines.protocol import Engine
from wasm_grpc.inference.protocol import Backend
from wasm_grpc.inference.registry import open_backend

__all__ = ["backend", "engine"]


@pytest.fixture(params=list(ENGINES), scope="module")
def engine(request: pytest.FixtureRequest) -> Engine:
    """One engine, opened once for all tests of a module."""
    return ENGINES[request.param]()


@pytest.fixture(scope="session")
def backend() -> Backend:
    """Open the backend that this interpreter has."""
    try:
        return open_backend()
    except InferenceUnavailableError as exc:
        # Not `rig.skip`: the rig needs libraries that the worker tower's environment has not.
        give_up = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        give_up(str(exc))
