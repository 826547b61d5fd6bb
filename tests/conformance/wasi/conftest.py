"""Guests assembled from text, and the files that they see."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from wasm_grpc.core.model import Mount, MountEntry

__all__ = ["assemble", "mounts"]


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
