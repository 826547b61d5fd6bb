"""Each conformance test runs once for every engine that this interpreter has."""

from __future__ import annotations

import pytest

from conformance.engines.table import ENGINES
from wasm_grpc.engines.protocol import Engine

__all__ = ["engine"]


@pytest.fixture(params=list(ENGINES), scope="module")
def engine(request: pytest.FixtureRequest) -> Engine:
    """One engine, opened once for all tests of a module."""
    return ENGINES[request.param]()
