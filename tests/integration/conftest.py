"""Each test of this folder runs once for every engine, over one cache of compiled guests."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from rig import Server, missing, serve

__all__ = ["cache_environment", "engine", "start_server"]

StartServer = Callable[..., AbstractAsyncContextManager[Server]]


@pytest.fixture(scope="session", params=["wasmer", "wasmtime"])
def engine(request: pytest.FixtureRequest) -> str:
    """Each engine in turn."""
    name: str = request.param
    if name == "wasmer" and sys.version_info >= (3, 11):
        beside = Path(sys.prefix).parent / ".venv-wasmer" / "bin" / "python"
        if not beside.exists():
            missing(
                "wasmer: no .venv-wasmer beside this environment; `make setup` makes it with a CPython 3.10"
            )
    return name


@pytest.fixture(scope="session")
def cache_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the environment of a server whose artifact cache belongs to this test run."""
    return {"XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache")), "WASM_GRPC_LOG": "info"}


@pytest.fixture(scope="session")
def start_server(engine: str, cache_environment: dict[str, str]) -> StartServer:
    """Start a server of its own: ``start_server(functions, *flags, env=…)``."""

    @asynccontextmanager
    async def start(functions: Path, *flags: str, env: dict[str, str] | None = None) -> AsyncIterator[Server]:
        environment = {**cache_environment, **(env or {})}
        async with serve(functions, "--engine", engine, *flags, env=environment) as server:
            yield server

    return start
