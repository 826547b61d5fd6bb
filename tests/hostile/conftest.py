"""Servers of both engines whose workers were taken over: see `taken_over`."""

from __future__ import annotations

import shlex
import stat
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from integration.conftest import StartServer, cache_environment, engine, start_server
from rig import Server

__all__ = ["StartHostile", "TakenOver", "cache_environment", "engine", "start_hostile", "start_server"]

TakenOver = Callable[..., str]
StartHostile = Callable[..., AbstractAsyncContextManager[Server]]

_PROGRAM = Path(__file__).parent / "taken_over.py"


@pytest.fixture
def taken_over(engine: str, tmp_path: Path) -> TakenOver:
    """Return a maker of interpreters whose workers were taken over: ``taken_over(at_load="die")``."""
    beside = Path(sys.prefix).parent / ".venv-wasmer" / "bin" / "python"
    python = str(beside) if engine == "wasmer" else sys.executable

    def make(**moments: str) -> str:
        options = [f"--{moment.replace('_', '-')}={attack}" for moment, attack in moments.items()]
        launcher = tmp_path / "taken-over"
        command = shlex.join([python, "-I", str(_PROGRAM), *options])
        launcher.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        launcher.chmod(launcher.stat().st_mode | stat.S_IXUSR)
        return str(launcher)

    return make


@pytest.fixture
def start_hostile(start_server: StartServer, taken_over: TakenOver) -> StartHostile:
    """Start a server whose workers were taken over: ``start_hostile(functions, *flags, at_load="die")``."""

    @asynccontextmanager
    async def start(functions: Path, *flags: str, **moments: str) -> AsyncIterator[Server]:
        async with start_server(functions, "--worker-python", taken_over(**moments), *flags) as server:
            yield server

    return start
