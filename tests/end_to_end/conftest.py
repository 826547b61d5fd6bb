"""The functions that are served, and one app for each engine that the tests of this folder share."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from end_to_end.app import App, run_app
from end_to_end.dapr_app import DaprApp, run_dapr_app
from end_to_end.streams import WAYS, Way, open_way, write_stream_functions
from rig import missing, need

__all__ = [
    "app",
    "cache_environment",
    "dapr_app",
    "engine",
    "functions",
    "stream_app",
    "stream_functions",
    "way",
]

REPOSITORY = Path(__file__).resolve().parents[2]
GUESTS = Path(__file__).with_name("guests")
WASMER_PYTHON = REPOSITORY / ".venv-wasmer" / "bin" / "python"


@pytest.fixture(scope="session")
def cache_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of servers that share an artifact cache, which is not that of the person who runs this."""
    return {"WASM_GRPC_CACHE_DIR": str(tmp_path_factory.mktemp("artifacts"))}


@pytest.fixture(scope="session")
def functions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the repository's own functions and those of this folder, assembled."""
    wat2wasm = need(shutil.which("wat2wasm"), "no wat2wasm: Debian's package wabt has it")
    folder = tmp_path_factory.mktemp("served") / "functions"
    for source in (REPOSITORY / "functions").glob("*/function.toml"):
        shutil.copytree(source.parent, folder / source.parent.name, ignore=shutil.ignore_patterns("target"))
    for text in GUESTS.glob("*/*.wat"):
        copy = shutil.copytree(text.parent, folder / text.parent.name)
        command = [wat2wasm, str(text), "-o", str(copy / f"{text.stem}.wasm")]
        subprocess.run(command, check=True, timeout=10)
    return folder


@pytest.fixture(scope="session", params=["wasmer", "wasmtime"])
def engine(request: pytest.FixtureRequest) -> str:
    """Each engine in turn; Wasmer where there is an interpreter for it."""
    name: str = request.param
    if name == "wasmer" and not (WASMER_PYTHON.exists() or os.environ.get("WASM_GRPC_WORKER_PYTHON")):
        missing("no .venv-wasmer: make setup makes it where there is a CPython 3.10")
    return name


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def app(
    engine: str,
    functions: Path,
    cache_environment: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[App]:
    """An app on one engine, shared by all tests that do it no harm."""
    folder = tmp_path_factory.mktemp(engine)
    async with run_app(functions, folder, "--engine", engine, env=cache_environment) as running:
        yield running


@pytest.fixture(scope="session")
def stream_functions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with functions for streams."""
    return write_stream_functions(tmp_path_factory.mktemp("streamed") / "functions")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def dapr_app(
    functions: Path, engine: str, cache_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[DaprApp]:
    """An app on each engine whose functions, those of the test's module, call Dapr."""
    folder = tmp_path_factory.mktemp(f"dapr-{engine}")
    async with run_dapr_app(functions, folder, "--engine", engine, env=cache_environment) as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stream_app(
    engine: str,
    stream_functions: Path,
    cache_environment: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[App]:
    """An app with one run slot, behind sidecars with daprd's own limits; tests may kill its workers."""
    folder = tmp_path_factory.mktemp(engine)
    flags = ["--engine", engine, "--workers", "1", "--reflection"]
    async with run_app(
        stream_functions, folder, *flags, env=cache_environment, body_limit_bytes=None
    ) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session", params=WAYS)
async def way(request: pytest.FixtureRequest, stream_app: App) -> AsyncIterator[Way]:
    """Each way to that app in turn."""
    async with open_way(stream_app, request.param) as opened:
        yield opened
