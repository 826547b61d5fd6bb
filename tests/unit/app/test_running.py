"""What a run asks of its worker."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import NoReturn

import pytest

from wasm_grpc.app.running import GuestProgram, run_once
from wasm_grpc.core.errors import WorkerStartError
from wasm_grpc.core.model import MIB, EngineName, Limits, Runtime
from wasm_grpc.core.settings import make_settings
from wasm_grpc.core.wire import Compiled, EngineOpened
from wasm_grpc.pool.runtimes import FoundRuntime

FOUND = FoundRuntime(
    Runtime(EngineName.WASMER, "python"),
    EngineOpened(python="CPython 3", version="1", target="here", missing_walls=(), limits_instances=False),
)


class NoStreams:
    """The streams of a guest that never starts."""

    def read(self, _limit: int) -> bytes:
        """Return the end of standard input."""
        return b""

    def write(self, _chunk: bytes) -> None:
        """Take standard output."""

    def log(self, _chunk: bytes) -> None:
        """Take standard error."""


def test_a_worker_gets_the_memory_that_its_native_code_may_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Code for 257 MiB is compiled with a limit of 288 MiB, so the worker's own limit allows as much."""
    asked: list[int] = []

    async def fork(*_: object, memory_bytes: int, **__: object) -> NoReturn:
        asked.append(memory_bytes)
        raise WorkerStartError("no process")

    async def find_runtime(*_: object) -> FoundRuntime:
        return FOUND

    async def compile_module(*_: object, **__: object) -> Compiled:
        return Compiled(code=b"code", minimum_bytes=0, imports=())

    monkeypatch.setattr("wasm_grpc.app.running.find_runtime", find_runtime)
    monkeypatch.setattr("wasm_grpc.app.compilation.compile_module", compile_module)
    monkeypatch.setattr("wasm_grpc.pool.bases.Bases.fork", fork)
    module = tmp_path / "f.wasm"
    module.write_bytes(b"")
    settings = make_settings({"engine": "wasmer", "cache_dir": str(tmp_path / "cache")})

    for memory_bytes in (257 * MIB, 288 * MIB):
        program = GuestProgram(file=module, limits=Limits(memory_bytes=memory_bytes))
        with pytest.raises(WorkerStartError):
            asyncio.run(run_once(program, settings, NoStreams()))

    assert asked[0] == asked[1]
