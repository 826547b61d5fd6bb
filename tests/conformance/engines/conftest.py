"""Each test of this folder runs once for every engine that this interpreter has."""

from __future__ import annotations

import importlib

import pytest
from conformance.engines.table import ENGINES

from wasm_grpc.engines.protocol import Engine

__all__ = ["engine"]


@pytest.fixture(params=list(ENGINES), scope="module")
def engine(request: pytest.FixtureRequest) -> Engine:
    """One engine; another interpreter has those that are skipped here (Wasmer: CPython 3.10)."""
    package, open_it = ENGINES[request.param]
    try:
        importlib.import_module(package)
    except ImportError as exc:
        pytest.skip(f"{package} is not for this interpreter: {exc}")
    return open_it()
