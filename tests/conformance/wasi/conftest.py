"""The engines that this interpreter has, and guests assembled from text."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from wasm_grpc.core.errors import EngineUnavailableError
from wasm_grpc.core.model import EngineName, Mount, MountEntry
from wasm_grpc.engines.protocol import Engine
from wasm_grpc.engines.registry import open_engine

__all__ = ["assemble", "engine", "mounts"]


def _open_wasmtime(api: str) -> Engine:
    from wasm_grpc.engines.wasmtime.opening import WasmtimeApi, open_wasmtime  # noqa: PLC0415 - optional

    return open_wasmtime(WasmtimeApi(api))


OPENERS: dict[str, Callable[[], Engine]] = {
    "wasmtime-c": lambda: _open_wasmtime("c"),
    "wasmtime-public": lambda: _open_wasmtime("public"),
    "wasmer": lambda: open_engine(EngineName.WASMER),
}


@pytest.fixture(scope="session", params=OPENERS)
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each engine in turn; no interpreter has to have all of them."""
    try:
        return OPENERS[request.param]()
    except (ImportError, EngineUnavailableError) as exc:
        pytest.skip(f"{request.param}: {exc}")


@pytest.fixture(scope="session")
def assemble(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], bytes]:
    """Turn the text format into a binary."""
    wat2wasm = shutil.which("wat2wasm")
    if wat2wasm is None:
        # Not `rig.skip`: the rig needs libraries that the worker tower's environment has not.
        give_up = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        give_up("wat2wasm: not found; Debian's package wabt was expected")
    folder: Path = tmp_path_factory.mktemp("wat")

    def assembled(wat: str) -> bytes:
        (folder / "guest.wat").write_text(wat)
        subprocess.run([wat2wasm, "guest.wat", "-o", "guest.wasm"], cwd=folder, check=True, timeout=10)
        return (folder / "guest.wasm").read_bytes()

    return assembled


@pytest.fixture(scope="session")
def mounts(tmp_path_factory: pytest.TempPathFactory) -> list[Mount]:
    """Return the folder /model that the file cases are written for."""
    folder: Path = tmp_path_factory.mktemp("model")

    def file(path: str, content: bytes) -> MountEntry:
        host = folder / path.replace("/", "-")
        host.write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        return MountEntry(path=path, host=str(host), size=len(content), sha256=digest)

    links = {"up": "sub/../a.txt", "loop": "loop", "gone": "nowhere", "out": "../../etc", "dir": "sub"}
    entries = [file("a.txt", b"hello\n"), MountEntry(path="sub"), file("sub/b.txt", b"below\n")]
    entries += [MountEntry(path=path, link=link) for path, link in links.items()]
    return [Mount(guest="/model", entries=tuple(entries))]
