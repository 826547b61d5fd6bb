"""The artifact cache: what is given back, what counts as not there, what happens without a folder."""

from __future__ import annotations

import dataclasses
import errno
import logging
import os
import stat
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from wasm_grpc.artifacts import folder as artifact_folder
from wasm_grpc.artifacts.cache import (
    Artifact,
    ArtifactCache,
    Refusal,
    artifact_key,
    default_cache_folder,
)
from wasm_grpc.artifacts.folder import ArtifactFolder
from wasm_grpc.core.artifact import read_payload
from wasm_grpc.core.errors import HostError

KEY = bytes(range(32))
OTHER_KEY = bytes(32)
PAYLOAD = b"native code" * 100
HEADER_BYTES = 92


def _entry(folder: Path) -> Path:
    return folder / f"{KEY.hex()}.artifact"


def _flip(path: Path, offset: int) -> None:
    content = bytearray(path.read_bytes())
    content[offset] ^= 1
    path.write_bytes(content)


def _replace(path: Path, make: Callable[[Path], object]) -> None:
    path.unlink()
    make(path)


def _move_below_a_link(path: Path) -> None:
    moved = path.with_name("moved")
    path.rename(moved)
    path.symlink_to(moved)


def test_native_code_is_given_back(tmp_path: Path) -> None:
    """What was put is found under its key, and a worker reads it by path and digest."""
    folder = ArtifactFolder(tmp_path / "cache")
    put = folder.put(KEY, PAYLOAD, minimum_bytes=65_536, imports=("env", "wasi_snapshot_preview1"))

    found = ArtifactFolder(tmp_path / "cache").get(KEY)

    assert found == put
    assert read_payload(put.path, put.digest) == PAYLOAD


def test_nothing_is_stored_under_another_key(tmp_path: Path) -> None:
    """A key that nothing was put under has nothing, without a warning."""
    folder = ArtifactFolder(tmp_path)
    folder.put(KEY, PAYLOAD)

    assert folder.get(OTHER_KEY) is None


def test_a_refusal_is_remembered_until_there_is_native_code(tmp_path: Path) -> None:
    """A refusal is given back with its message; native code takes its place, not the reverse."""
    folder = ArtifactFolder(tmp_path)
    folder.put_refusal(KEY, "tail calls aren't supported")

    refused = folder.get(KEY)
    put = folder.put(KEY, PAYLOAD)
    folder.put_refusal(KEY, "late")

    assert refused == Refusal(message="tail calls aren't supported")
    assert folder.get(KEY) == put


def test_the_first_writer_wins(tmp_path: Path) -> None:
    """A second server that compiled the same module takes what the first one stored."""
    first = ArtifactFolder(tmp_path).put(KEY, PAYLOAD)

    second = ArtifactFolder(tmp_path).put(KEY, b"other native code")

    assert second == first
    assert read_payload(second.path, second.digest) == PAYLOAD


def test_writers_at_once_agree(tmp_path: Path) -> None:
    """Of many writers of one key, each is told the digest of what stands in the end."""
    folder = ArtifactFolder(tmp_path)
    start = threading.Barrier(8)
    stored: list[Artifact] = []

    def write(number: int) -> None:
        start.wait(timeout=10)
        stored.append(folder.put(KEY, bytes([number]) * 10_000))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10)

    assert stored == [folder.get(KEY)] * 8
    assert [path.name for path in tmp_path.iterdir()] == [_entry(tmp_path).name]


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (lambda path: path.write_bytes(b""), "has 0 bytes; expected a header of 92"),
    "truncated header": (lambda path: os.truncate(path, 91), "has 91 bytes; expected a header of 92"),
    "truncated payload": (
        lambda path: os.truncate(path, HEADER_BYTES + 5),
        "has 97 bytes; expected 1192",
    ),
    "longer": (lambda path: path.write_bytes(path.read_bytes() + b"x"), "has 1193 bytes; expected 1192"),
    "foreign": (
        lambda path: path.write_bytes(b"\x7fELF" * 100),
        "has another format; expected format 4",
    ),
    "other format": (lambda path: _flip(path, 8), "has another format; expected format 4"),
    "unknown kind": (lambda path: _flip(path, 11), "has another format; expected format 4"),
    "other minimum": (
        lambda path: _flip(path, 12),
        "its content is damaged; expected the checksum in its header",
    ),
    "other key": (lambda path: _flip(path, 16), "has another key; expected the key in its file name"),
    "other digest": (
        lambda path: _flip(path, 48),
        "its content is damaged; expected the checksum in its header",
    ),
    "length of imports": (lambda path: _flip(path, 80), "has 1192 bytes; expected 1193"),
    "payload": (lambda path: _flip(path, -1), "its content is damaged; expected the checksum in its header"),
    "link": (
        _move_below_a_link,
        "can't be read: Too many levels of symbolic links; expected a readable file",
    ),
    "folder": (
        lambda path: _replace(path, Path.mkdir),
        "can't be read: Is a directory; expected a readable file",
    ),
    "pipe": (lambda path: _replace(path, os.mkfifo), "is not a regular file; expected one"),
    "others may write": (
        lambda path: path.chmod(0o660),
        "other users can write to it; expected a file that only this user can write",
    ),
}


@pytest.mark.parametrize(("damage", "reason"), DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_entry_is_not_there(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    damage: Callable[[Path], object],
    reason: str,
) -> None:
    """Whatever is wrong with an entry, it counts as not there, with one warning that says why."""
    folder = ArtifactFolder(tmp_path)
    folder.put(KEY, PAYLOAD)
    damage(_entry(tmp_path))

    found = folder.get(KEY)

    assert found is None
    assert caplog.messages == [f"artifact: {reason} ({_entry(tmp_path).name}); the module is compiled again"]


@pytest.mark.parametrize(
    "damage",
    [damage for name, (damage, _) in DAMAGES.items() if name != "folder"],
    ids=[name for name in DAMAGES if name != "folder"],
)
def test_a_damaged_entry_is_replaced(tmp_path: Path, damage: Callable[[Path], object]) -> None:
    """What is compiled again takes the place of the damaged entry."""
    folder = ArtifactFolder(tmp_path)
    folder.put(KEY, PAYLOAD)
    damage(_entry(tmp_path))

    put = folder.put(KEY, b"compiled again")

    assert folder.get(KEY) == put
    assert read_payload(put.path, put.digest) == b"compiled again"


def test_another_users_entry_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry of another user is never loaded, whatever it holds."""
    folder = ArtifactFolder(tmp_path)
    folder.put(KEY, PAYLOAD)
    user = os.geteuid()

    monkeypatch.setattr(os, "geteuid", lambda: user + 1)

    assert folder.get(KEY) is None


@pytest.mark.parametrize("mode", [0o755, 0o777, 0o700])
def test_the_folder_is_closed_to_others(tmp_path: Path, mode: int) -> None:
    """The folder is this user's alone, whether it was made now or stood open."""
    folder = tmp_path / "standing"
    folder.mkdir()
    folder.chmod(mode)

    ArtifactFolder(folder)
    ArtifactFolder(tmp_path / "new")

    modes = [stat.S_IMODE(each.stat().st_mode) for each in (folder, tmp_path / "new")]
    assert modes == [0o700, 0o700]


def test_another_users_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of another user is refused: its owner could put native code into it."""
    user = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: user + 1)

    with pytest.raises(HostError) as caught:
        ArtifactFolder(tmp_path)

    assert str(caught.value) == (
        f"artifact cache {tmp_path}: belongs to another user; expected a folder of this user"
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a link to another user")
def test_another_users_link(tmp_path: Path) -> None:
    """A link that another user has put in the folder's place leads nowhere, and changes no mode."""
    (tmp_path / "own").mkdir(mode=0o755)
    link = tmp_path / "cache"
    link.symlink_to("own")
    os.chown(link, os.geteuid() + 1, -1, follow_symlinks=False)

    with pytest.raises(HostError, match=r"belongs to another user; expected a folder of this user$"):
        ArtifactFolder(link)

    assert stat.S_IMODE((tmp_path / "own").stat().st_mode) == 0o755


def test_this_users_link(tmp_path: Path) -> None:
    """A user may keep the cache elsewhere."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "cache").symlink_to("disk")

    stored = ArtifactFolder(tmp_path / "cache").put(KEY, b"code")

    assert ArtifactFolder(tmp_path / "disk").get(KEY) == dataclasses.replace(
        stored, path=stored.path.replace("/cache/", "/disk/")
    )


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What can't be written is one line, and leaves nothing behind."""
    folder = ArtifactFolder(tmp_path)
    monkeypatch.setattr(os, "fsync", _disk_full)

    with pytest.raises(HostError) as caught:
        folder.put(KEY, PAYLOAD)

    assert str(caught.value) == (
        f"artifact cache {tmp_path}: No space left on device; expected room for 1100 bytes"
    )
    assert list(tmp_path.iterdir()) == []


def _disk_full(handle: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a file system without hard links an entry is published all the same."""
    folder = ArtifactFolder(tmp_path)

    def link(source: Path, target: Path) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", link)

    put = folder.put(KEY, PAYLOAD)

    assert folder.get(KEY) == put


@pytest.mark.parametrize(("room", "stay"), [(5, [1, 2, 3, 4]), (4, [1, 3, 4]), (0, [1, 4])])
def test_the_longest_unused_go_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int, stay: list[int]
) -> None:
    """Beyond its size the folder loses what was unused longest, but nothing used of late."""
    folder = ArtifactFolder(tmp_path)
    month = 30 * 24 * 3600
    ages = {1: 3 * month, 2: 2 * month, 3: month, 4: 60}
    for number, age in ages.items():
        used_at = time.time() - age
        os.utime(folder.put(bytes([number]) * 32, PAYLOAD).path, (used_at, used_at))
    monkeypatch.setattr(artifact_folder, "_SIZE_LIMIT_BYTES", room * (HEADER_BYTES + len(PAYLOAD)))
    folder.get(bytes([1]) * 32)

    folder.put(KEY, PAYLOAD)

    kept = [number for number in ages if folder.get(bytes([number]) * 32) is not None]
    assert kept == stay


def test_abandoned_files_go(tmp_path: Path) -> None:
    """A file that a killed writer left is removed by a later one; one being written stays."""
    folder = ArtifactFolder(tmp_path)
    (tmp_path / ".writing-now").touch()
    (tmp_path / ".writing-old").touch()
    os.utime(tmp_path / ".writing-old", (0, 0))

    folder.put(KEY, PAYLOAD)

    assert sorted(path.name for path in tmp_path.iterdir()) == [".writing-now", _entry(tmp_path).name]


def test_a_cache_that_cannot_be_opened(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A server whose cache can't be opened says so once and serves from a folder of its own."""
    (tmp_path / "file").touch()

    with ArtifactCache(tmp_path / "file") as cache:
        put = cache.put(KEY, PAYLOAD)
        found = cache.get(KEY)
        cache.put_refusal(OTHER_KEY, "no")

    assert found == put
    assert not Path(put.path).parent.exists()
    assert caplog.messages == [
        (
            f"artifact cache {tmp_path / 'file'}: File exists; expected a writable folder;"
            " compiled modules are kept for this run only"
        )
    ]


def test_a_cache_without_a_home(caplog: pytest.LogCaptureFixture) -> None:
    """A user without a home has a private folder for the run."""
    with ArtifactCache(None) as cache:
        put = cache.put(KEY, PAYLOAD)

        assert read_payload(put.path, put.digest) == PAYLOAD
    assert caplog.messages == [
        (
            "artifact cache: this user has no home folder; expected XDG_CACHE_HOME or HOME;"
            " compiled modules are kept for this run only"
        )
    ]


def test_a_cache_that_fills_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What was cached before is still found when nothing more can be written; one warning says so."""
    make_file = tempfile.mkstemp

    def mkstemp(*, prefix: str, dir: Path) -> tuple[int, str]:  # noqa: A002 (the name is tempfile's)
        if dir == tmp_path / "cache":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return make_file(prefix=prefix, dir=dir)

    with ArtifactCache(tmp_path / "cache") as cache:
        cached = cache.put(KEY, PAYLOAD)
        monkeypatch.setattr(tempfile, "mkstemp", mkstemp)

        stood_in = cache.put(OTHER_KEY, PAYLOAD)
        cache.put_refusal(KEY[::-1], "no")

        assert [cache.get(KEY), cache.get(OTHER_KEY)] == [cached, stood_in]
        assert cache.get(KEY[::-1]) == Refusal(message="no")
    assert caplog.record_tuples == [
        (
            "wasm_grpc.artifacts.cache",
            logging.WARNING,
            (
                f"artifact cache {tmp_path / 'cache'}: No space left on device; expected room for 1100 bytes;"
                " compiled modules are kept for this run only"
            ),
        )
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"wasm": b"other"},
        {"engine": "wasmtime"},
        {"version": "1.1.1"},
        {"target": "x86_64-avx2"},
        {"settings": {"memory_bytes": 2}},
        {"settings": {}},
    ],
    ids=str,
)
def test_key_covers(change: dict[str, object]) -> None:
    """Another module, engine, version, target or setting is another key."""
    fields: dict[str, object] = {
        "wasm": b"module",
        "engine": "wasmer",
        "version": "1.1.0",
        "target": "x86_64",
        "settings": {"memory_bytes": 1},
    }

    assert _key(fields | change) != _key(fields) == _key(dict(fields))


def _key(fields: dict[str, object]) -> bytes:
    wasm, settings = fields["wasm"], fields["settings"]
    assert isinstance(wasm, bytes)
    assert isinstance(settings, dict)
    engine, version, target = (str(fields[name]) for name in ("engine", "version", "target"))
    return artifact_key(wasm, engine=engine, version=version, target=target, settings=settings)


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"XDG_CACHE_HOME": "/x", "HOME": "/h"}, Path("/x/wasm-grpc")),
        ({"XDG_CACHE_HOME": "relative", "HOME": "/h"}, Path("/h/.cache/wasm-grpc")),
        ({"XDG_CACHE_HOME": "", "HOME": "/h"}, Path("/h/.cache/wasm-grpc")),
    ],
)
def test_default_folder(environ: dict[str, str], folder: Path) -> None:
    """The cache lies where the XDG specification says."""
    assert default_cache_folder(environ) == folder


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (Path.unlink, "artifact: the file is missing; expected it to exist while the server runs"),
        (
            lambda path: _flip(path, -1),
            "artifact: its content is damaged; expected the checksum in its header",
        ),
        (
            lambda path: _store_another(path.parent),
            "artifact: was replaced; expected the native code that the server has compiled",
        ),
        (
            lambda path: _store_refusal(path.parent),
            "artifact: was replaced; expected the native code that the server has compiled",
        ),
    ],
    ids=["gone", "damaged", "another", "refusal"],
)
def test_a_worker_reads_nothing_else(tmp_path: Path, spoil: Callable[[Path], object], message: str) -> None:
    """A worker gets the very bytes whose digest it was told, or an error."""
    put = ArtifactFolder(tmp_path).put(KEY, PAYLOAD)
    spoil(Path(put.path))

    with pytest.raises(HostError) as caught:
        read_payload(put.path, put.digest)

    assert str(caught.value) == message


def _store_another(folder: Path) -> None:
    _entry(folder).unlink()
    ArtifactFolder(folder).put(KEY, b"another")


def _store_refusal(folder: Path) -> None:
    _entry(folder).unlink()
    ArtifactFolder(folder).put_refusal(KEY, PAYLOAD.decode())
