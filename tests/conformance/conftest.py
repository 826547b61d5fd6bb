"""Each conformance test runs once for every engine that this interpreter has; guests assembled from text."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from conformance.engines.table import ENGINES
from wasm_grpc.core.errors import InferenceUnavailableError
from wasm_grpc.engines.protocol import Engine
from wasm_grpc.inference.protocol import Backend
from wasm_grpc.inference.registry import open_backend

__all__ = ["assemble", "backend", "engine"]


@pytest.fixture(params=list(ENGINES), scope="module")
def engine(request: pytest.FixtureRequest) -> Engine:
    """One engine, opened once for all tests of a module."""
    return ENGINES[request.param]()


@pytest.fixture(scope="session")
def assemble(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], bytes]:
    """Turn the text format into a binary."""
    wat2wasm = shutil.which("wat2wasm")
    if wat2wasm is None:
        _give_up("wat2wasm: not found; Debian's package wabt was expected")
    folder: Path = tmp_path_factory.mktemp("wat")

    def assembled(wat: str) -> bytes:
        (folder / "guest.wat").write_text(wat)
        subprocess.run([wat2wasm, "guest.wat", "-o", "guest.wasm"], cwd=folder, check=True, timeout=10)
        return (folder / "guest.wasm").read_bytes()

    return assembled


@pytest.fixture(scope="session")
def backend() -> Backend:
    """Open the inference backend of this interpreter, on which each engine's tests run."""
    try:
        return open_backend()
    except InferenceUnavailableError as exc:
        _give_up(str(exc))


def _give_up(reason: str) -> NoReturn:
    # Not `rig.skip`: the rig needs libraries that the worker tower's environment has not.
    (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
