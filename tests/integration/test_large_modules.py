"""Several functions of one large module, in workers with little memory of their own."""

from __future__ import annotations

from pathlib import Path

import pytest
import wasmtime

from integration.client import connect
from integration.conftest import StartServer
from integration.guests import write_function

pytestmark = pytest.mark.asyncio

FUNCTIONS = [f"large-{index}" for index in range(8)]
_STEP = "(i32.store (local.get 0) (i32.mul (local.get 0) (i32.load8_u (local.get 0))))"


def _large_module() -> bytes:
    """Return a command whose native code takes more than 64 MiB when each of eight functions loads it."""
    rest = f"(func (param i32) {_STEP * 100})" * 2_500
    return bytes(wasmtime.wat2wasm(f'(module (memory (export "memory") 1) {rest} (func (export "_start")))'))


@pytest.fixture
def functions(tmp_path: Path) -> Path:
    """Write eight functions of one module."""
    wasm = _large_module()
    for name in FUNCTIONS:
        write_function(tmp_path / "functions", name, guest="echo", sections='[limits]\nmemory = "1MiB"\n')
        (tmp_path / "functions" / name / f"{name}.wasm").write_bytes(wasm)
    return tmp_path / "functions"


async def test_native_code_has_its_room(start_server: StartServer, functions: Path) -> None:
    """Each answers, and no worker dies while it loads them."""
    small = {"WASM_GRPC_WORKER_BYTES": str(64 << 20)}
    async with (
        start_server(functions, "--workers", "1", env=small) as server,
        connect(server.address) as caller,
    ):
        for name in FUNCTIONS:
            assert (await caller.invoke(name)).body == b""

    assert [line for line in server.process.stderr.lines if "ended with" in line] == []
