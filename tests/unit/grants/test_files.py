"""Granted files and folders, read from the disk."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from unit.conftest import MINIMAL, WriteFunction
from wasm_grpc.catalogue.folder import read_functions
from wasm_grpc.catalogue.function import Function
from wasm_grpc.core.errors import ConfigError, ManifestError
from wasm_grpc.grants import files as room
from wasm_grpc.grants.files import read_mount
from wasm_grpc.grants.function import read_mounts

__all__ = []


def _each(*steps: Callable[[], object]) -> None:
    for step in steps:
        step()


WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "gone": (
        lambda folder: None,
        "'model' doesn't exist; expected a file or folder below the function's folder",
    ),
    "device": (
        lambda folder: os.mkfifo(folder / "model"),
        "'model' is not a regular file; expected files, folders and links",
    ),
    "link-out": (
        lambda folder: (folder / "model").symlink_to("/etc"),
        "'model' is a link out of the function's folder; expected a file or folder below it",
    ),
    "link-out-below": (
        lambda folder: _each((folder / "model").mkdir, lambda: (folder / "model/x").symlink_to("../../../x")),
        "'model/x' is a link out of the folder; expected links inside",
    ),
    "absolute-link": (
        lambda folder: _each(
            (folder / "model").mkdir, lambda: (folder / "model/x").symlink_to("/etc/passwd")
        ),
        "'model/x' is a link out of the folder; expected links inside",
    ),
    "pipe-below": (
        lambda folder: _each((folder / "model").mkdir, lambda: os.mkfifo(folder / "model/x")),
        "'model/x' is not a regular file; expected files, folders and links",
    ),
    "5-gb": (
        lambda folder: _each((folder / "model").touch, lambda: os.truncate(folder / "model", 5 << 30)),
        "'model' exceeds the limit; expected at most 256MiB in all granted files",
    ),
    "not-utf-8": (
        lambda folder: _each(
            (folder / "model").mkdir,
            lambda: Path(os.fsdecode(bytes(folder) + b"/model/\xff")).touch(),
        ),
        "'model/\\udcff' is not valid UTF-8; expected a name in UTF-8",
    ),
}


def _function(write_function: WriteFunction, *grants: str) -> tuple[Path, Callable[[], Function]]:
    files = ", ".join(grants)
    folder = write_function("f", MINIMAL.format(name="f") + f"[capabilities]\nfiles = [{files}]\n")
    return folder, lambda: read_functions(folder)[0]


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_granted_is_named(write_function: WriteFunction, name: str) -> None:
    """A grant that can't be read gives one line: the manifest, the key, what is wrong and what was expected."""
    folder, function = _function(write_function, '{ host = "model", guest = "/model" }')
    make, problem = WRONG[name]
    make(folder)

    with pytest.raises(ManifestError) as caught:
        read_mounts(function())

    assert caught.value.problems == (f"f/function.toml: capabilities.files[0].host: {problem}",)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads what nobody may")
def test_unreadable_file_is_named(write_function: WriteFunction) -> None:
    """A file without permission to read is named."""
    folder, function = _function(write_function, '{ host = "model", guest = "/model" }')
    (folder / "model").touch(mode=0)

    with pytest.raises(ManifestError, match=r"files\[0\].host: 'model' can't be read: Permission denied"):
        read_mounts(function())


@pytest.mark.parametrize("guest", ["/model", "/model/below"])
def test_places_that_overlap_are_refused(write_function: WriteFunction, guest: str) -> None:
    """Of two grants at one place, or one within the other, the second is named."""
    folder, function = _function(
        write_function, '{ host = "a", guest = "/model" }', f'{{ host = "a", guest = "{guest}" }}'
    )
    (folder / "a").mkdir()

    with pytest.raises(ManifestError) as caught:
        read_mounts(function())

    assert caught.value.problems == (
        f"f/function.toml: capabilities.files[1].guest: {guest!r} is granted twice; expected a path outside every other grant",
    )


@pytest.mark.parametrize("guest", ["/dapr", "/dapr/state"])
def test_the_directory_of_dapr_is_not_replaced(write_function: WriteFunction, guest: str) -> None:
    """A function that may call Dapr has no granted files where it finds Dapr; any other function may."""
    folder, function = _function(write_function, f'{{ host = "a", guest = "{guest}" }}')
    (folder / "a").mkdir()
    assert [mount.guest for mount in read_mounts(function())] == [guest]
    manifest = folder / "function.toml"
    manifest.write_text(manifest.read_text() + '\n[capabilities.dapr]\nstate = ["store/*"]\n')

    with pytest.raises(ManifestError) as caught:
        read_mounts(function())

    assert caught.value.problems == (
        f"f/function.toml: capabilities.files[0].guest: {guest!r} is where Dapr is; expected a path outside /dapr",
    )


def test_files_lie_in_the_folder_of_their_guest_path(write_function: WriteFunction) -> None:
    """A granted file is in the folder that its path says, with others there; a folder is one itself."""
    folder, function = _function(
        write_function,
        '{ host = "a", guest = "/data/one" }',
        '{ host = "b", guest = "/data/two" }',
        '{ host = "d", guest = "/d" }',
        '{ host = "a", guest = "/top" }',
    )
    (folder / "a").write_bytes(b"aa")
    (folder / "b").symlink_to("a")
    (folder / "d/e").mkdir(parents=True)
    (folder / "d/e/x").symlink_to("../y")

    mounts = read_mounts(function())

    seen = {
        mount.guest: [(entry.path, entry.size, entry.link) for entry in mount.entries] for mount in mounts
    }
    assert seen == {
        "/data": [("one", 2, ""), ("two", 2, "")],
        "/d": [("e", 0, ""), ("e/x", 0, "../y")],
        "/": [("top", 2, "")],
    }
    assert mounts[0].entries[1].sha256 == hashlib.sha256(b"aa").hexdigest()
    assert mounts[0].entries[1].host == str(folder / "a")


def test_the_root_is_granted(write_function: WriteFunction) -> None:
    """A folder may be the guest's root, where relative paths lead, beside other places."""
    folder, function = _function(
        write_function, '{ host = "a", guest = "/" }', '{ host = "b", guest = "/b" }'
    )
    (folder / "a").mkdir()
    (folder / "a/x").write_bytes(b"x")
    (folder / "b").mkdir()

    mounts = read_mounts(function())

    assert {mount.guest: [entry.path for entry in mount.entries] for mount in mounts} == {
        "/": ["x"],
        "/b": [],
    }


@pytest.mark.parametrize(
    ("grants", "problem"),
    [
        (
            ['{ host = "a", guest = "/" }', '{ host = "a/x", guest = "/x" }'],
            "capabilities.files[1].guest: '/x' is granted twice; expected a path outside every other grant",
        ),
        (
            ['{ host = "a/x", guest = "/" }'],
            "capabilities.files[0].host: 'a/x' is a file; expected a folder for '/'",
        ),
    ],
    ids=["a file that is there", "a file as the root"],
)
def test_what_can_not_be_at_the_root(write_function: WriteFunction, grants: list[str], problem: str) -> None:
    """A name of the root is granted once, and the root is a folder."""
    folder, function = _function(write_function, *grants)
    (folder / "a").mkdir()
    (folder / "a/x").write_bytes(b"x")

    with pytest.raises(ManifestError) as caught:
        read_mounts(function())

    assert caught.value.problems == (f"f/function.toml: {problem}",)


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of files is bounded, and the message says by what."""
    monkeypatch.setattr(room, "_ENTRIES_LIMIT", 2)
    for name in "abc":
        (tmp_path / name).touch()

    with pytest.raises(ConfigError, match="exceeds the limit; expected at most 2 files and folders"):
        read_mount(str(tmp_path), "/m")


def test_writable_mount_is_a_folder(tmp_path: Path) -> None:
    """A scratch copy is made of a folder only."""
    (tmp_path / "file").touch()

    assert read_mount(str(tmp_path), "m", is_writable=True).is_writable
    with pytest.raises(ConfigError, match="is a file; expected a folder"):
        read_mount(str(tmp_path / "file"), "/m", is_writable=True)
