"""What holds for every test: nothing of ours may block the event loop."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from blockbuster import blockbuster_ctx

__all__ = ["blocking_is_an_error"]


@pytest.fixture(autouse=True)
def blocking_is_an_error() -> Iterator[None]:
    """Fail a test in which code of the package, called on an event loop, makes a call that blocks."""
    with blockbuster_ctx("wasm_grpc"):
        yield
