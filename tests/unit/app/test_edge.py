"""The edge of a server, without a pool behind it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import cast

import pytest

from wasm_grpc.app import edge
from wasm_grpc.app.connection import open_connection
from wasm_grpc.catalogue.folder import read_functions
from wasm_grpc.core.observers import Observers
from wasm_grpc.core.settings import make_settings
from wasm_grpc.engines.fake import write_fake
from wasm_grpc.pool.pool import Pool

pytestmark = pytest.mark.asyncio

MANIFEST = """
name = "echo"
module = "echo.wasm"

[[trigger.invoke]]
method = "echo"
"""


class _NoPool:
    """Stands for a pool that no call reaches."""

    def connect_dapr(self, api: object) -> None:
        """See `Pool`."""


async def test_an_edge_makes_the_first_call_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the time it is open, it has been called where it listens."""
    (tmp_path / "echo.wasm").write_bytes(write_fake("echo"))
    (tmp_path / "function.toml").write_text(MANIFEST, "utf-8")
    functions = await asyncio.to_thread(read_functions, tmp_path)
    called = []

    async def note(address: str) -> None:
        called.append(address)

    monkeypatch.setattr(edge, "make_first_call", note)
    settings = make_settings({"port": 0})
    async with (
        open_connection(settings) as connection,
        edge.open_edge(functions, cast(Pool, _NoPool()), connection, Observers(), settings) as opened,
    ):
        assert called == [opened.address]
