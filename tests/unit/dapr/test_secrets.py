"""Secrets that are read through a sidecar."""

from __future__ import annotations

from typing import cast

import grpc
import pytest
from dapr.proto.runtime.v1 import secret_pb2 as pb

from wasm_grpc.core.errors import SidecarError
from wasm_grpc.dapr import secrets
from wasm_grpc.dapr.secrets import entry_of, read_secret
from wasm_grpc.dapr.sidecar import Sidecar

CODES = grpc.StatusCode


class FakeSidecar:
    """A sidecar that fails its first calls with these codes."""

    def __init__(self, *codes: grpc.StatusCode) -> None:
        self.requests: list[pb.GetSecretRequest] = []
        self._codes = list(codes)

    async def call(
        self, method: str, request: pb.GetSecretRequest, *, metadata: object, timeout_s: float
    ) -> pb.GetSecretResponse:
        """See `Sidecar`."""
        assert (method, metadata) == ("GetSecret", ())
        self.requests.append(request)
        if self._codes:
            nothing = grpc.aio.Metadata()
            raise grpc.aio.AioRpcError(self._codes.pop(0), nothing, nothing, details="why")
        return pb.GetSecretResponse(data={"DB_URL": "value"})


async def read(sidecar: FakeSidecar, *, wait_s: float) -> dict[str, str]:
    """Read a secret."""
    return await read_secret(cast("Sidecar", sidecar), "vault", "DB_URL", wait_s=wait_s)


@pytest.mark.asyncio
async def test_a_store_that_comes_late(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is waited for, and that is told once."""
    monkeypatch.setattr(secrets, "_PAUSE_S", 0.0)
    caplog.set_level("INFO", "wasm_grpc")
    sidecar = FakeSidecar(CODES.FAILED_PRECONDITION, CODES.INVALID_ARGUMENT, CODES.UNAVAILABLE)

    assert await read(sidecar, wait_s=60) == {"DB_URL": "value"}
    assert sidecar.requests == 4 * [pb.GetSecretRequest(store_name="vault", key="DB_URL")]
    assert caplog.messages == ["waiting for secret store 'vault', 60 s at most"]


@pytest.mark.asyncio
@pytest.mark.parametrize(("code", "wait_s"), [(CODES.INTERNAL, 60), (CODES.INVALID_ARGUMENT, 0)])
async def test_a_secret_that_can_not_be_read(code: grpc.StatusCode, wait_s: float) -> None:
    """A secret that is missing is told at once, a store that is missing when the wait is over."""
    sidecar = FakeSidecar(code)

    with pytest.raises(SidecarError, match=rf"^can't be read: {code.name}: why$"):
        await read(sidecar, wait_s=wait_s)

    assert len(sidecar.requests) == 1


@pytest.mark.parametrize(
    ("entries", "key", "value"),
    [
        ({"a": "1"}, None, "1"),
        ({"a": "1", "b": "2"}, "b", "2"),
        ({"a": "1", "b": "2"}, None, "has 2 entries; expected key beside it: 'a' or 'b'"),
        ({"a": "1"}, "c", "has no entry 'c'; expected 'a'"),
        ({}, None, "has no entries; expected one"),
    ],
    ids=["only", "key", "several", "other", "none"],
)
def test_one_entry(entries: dict[str, str], key: str | None, value: str) -> None:
    """It is the only one, or the one that the manifest names; an error has the entries' keys and no value."""
    if value in entries.values():
        assert entry_of(entries, key) == value
        return
    with pytest.raises(SidecarError) as caught:
        entry_of(entries, key)
    assert str(caught.value) == value
