"""How the rig starts our server, with a program in its place that only says the line."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from rig import serve

pytestmark = pytest.mark.asyncio

STAND_IN = """
import os, signal, sys
print("serving 127.0.0.1:50051 (2 functions, wasmtime 50.0.1 on CPython 3.12.1, 2 workers)", flush=True)
print(*sys.argv[1:], os.environ.get("APP_ID"), os.environ.get("DAPR_GRPC_PORT"), flush=True)
signal.pause()
"""


async def test_the_address_is_read_from_the_ready_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server is known by its ready line; it sees what is given, and nothing of another sidecar's."""
    monkeypatch.setenv("DAPR_GRPC_PORT", "50001")
    command = [sys.executable, "-c", STAND_IN]

    async with serve(tmp_path, "--workers", "2", env={"APP_ID": "app"}, command=command) as server:
        line = await server.process.line("^serve ", timeout_s=5)

    assert (server.address, server.summary) == (
        "127.0.0.1:50051",
        "2 functions, wasmtime 50.0.1 on CPython 3.12.1, 2 workers",
    )
    assert line.string == f"serve {tmp_path} --port 0 --workers 2 app None"
