"""Fixtures of the pool's tests."""

from __future__ import annotations

import os
import shlex
import stat
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from unit.pool.faults import FakeWorker
from wasm_grpc.core.model import EngineName, Runtime
from wasm_grpc.pool.bases import Bases, open_bases

_PROGRAM = Path(__file__).parent / "fake_worker.py"


@pytest.fixture
def fake_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeWorker:
    """Return a maker of runtimes whose workers are fake; see its module for what they may be told."""
    monkeypatch.setattr("wasm_grpc.pool.process._END_S", 0.1)
    launcher = tmp_path / "worker"
    path = os.pathsep.join(path for path in sys.path if path)

    def make(*arguments: str) -> Runtime:
        command = shlex.join([sys.executable, str(_PROGRAM), *arguments])
        launcher.write_text(f'#!/bin/sh\nPYTHONPATH={shlex.quote(path)} exec {command} "$@"\n')
        launcher.chmod(launcher.stat().st_mode | stat.S_IXUSR)
        return Runtime(EngineName.FAKE, str(launcher))

    return make


@pytest_asyncio.fixture
async def bases() -> AsyncIterator[Bases]:
    """Return bases that are ended after the test."""
    async with open_bases() as opened:
        yield opened
