"""The files that guests assembled from text see."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from wasm_grpc.core.model import Mount, MountEntry

__all__ = ["mounts"]


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
