"""One server that speaks the service, for every test of the clients."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from unit.client.fake_functions import FakeFunctions, fake_functions

__all__ = ["server"]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeFunctions]:
    """Serve, and let nothing of this machine's environment name another sidecar or a token."""
    for name in ("DAPR_GRPC_ENDPOINT", "DAPR_GRPC_PORT", "DAPR_API_TOKEN", "APP_API_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with fake_functions() as running:
        yield running
