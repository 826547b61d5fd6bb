"""Granted files that a worker finds other than its server did."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from wasm_grpc.core.errors import HostError
from wasm_grpc.core.model import Mount, MountEntry
from wasm_grpc.hosts.wasi.mounts import SCRATCH, FileSystem

__all__ = []

CONTENT = b"granted\n"


def _again(file: Path, make: Callable[[Path], object]) -> None:
    file.unlink()
    make(file)


CHANGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "gone": (Path.unlink, "can't be read: No such file or directory"),
    "other": (lambda file: file.write_bytes(b"altered\n"), "changed since the start"),
    "shorter": (lambda file: os.truncate(file, 1), "changed since the start"),
    "longer": (lambda file: file.write_bytes(CONTENT * 2), "changed since the start"),
    "5-gb": (lambda file: os.truncate(file, 5 << 30), "changed since the start"),
    "folder": (lambda file: _again(file, Path.mkdir), "can't be read: Is a directory"),
    "link": (
        lambda file: _again(file, lambda at: at.symlink_to("/dev/zero")),
        "can't be read: Too many levels of symbolic links",
    ),
    "pipe": (lambda file: _again(file, os.mkfifo), "changed since the start"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_changed_is_named(tmp_path: Path, name: str) -> None:
    """It is refused by the guest's name for it, never by the host's, and without waiting or reading on."""
    change, problem = CHANGES[name]
    file = tmp_path / "host-name"
    file.write_bytes(CONTENT)
    digest = hashlib.sha256(CONTENT).hexdigest()
    entry = MountEntry(path="file", host=str(file), size=len(CONTENT), sha256=digest)
    change(file)

    with pytest.raises(HostError) as caught:
        FileSystem([Mount(guest="/data", entries=(entry,))], scratch_bytes=0)

    assert str(caught.value) == f"file '/data/file': {problem}; expected the file as it was at the start"


@pytest.mark.parametrize(
    ("guests", "scratch_bytes", "expected"),
    [
        ([], 1, [SCRATCH]),
        ([], 0, []),
        (["/b", "/a"], 1, ["/b", "/a", SCRATCH]),
        (["/b", "/a"], 0, ["/b", "/a"]),
        ([SCRATCH], 1, [SCRATCH]),
    ],
    ids=["scratch", "nothing", "mounts first", "mounts alone", "mount in place of scratch"],
)
def test_open_folders_of_an_invocation(guests: list[str], scratch_bytes: int, expected: list[str]) -> None:
    """They are the mounts as they were given, then scratch, if there is any."""
    files = FileSystem([Mount(guest=guest, entries=()) for guest in guests], scratch_bytes=scratch_bytes)

    assert [opened.name for opened in files.preopens()] == [name.encode() for name in expected]
