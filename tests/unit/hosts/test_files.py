"""Files: what is read, written, listed and told, and that nothing a guest passes hurts."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from unit.hosts.guest_memory import MemoryGuest
from wasm_grpc.core.errors import HostError
from wasm_grpc.core.model import Mount, MountEntry
from wasm_grpc.hosts.wasi import preview1
from wasm_grpc.hosts.wasi.abi import (
    EFAULT,
    ENOSPC,
    FDFLAG_APPEND,
    OFLAG_CREAT,
    RIGHT_FD_READ,
    RIGHT_FD_WRITE,
    SUCCESS,
    WHENCE_SET,
)
from wasm_grpc.hosts.wasi.mounts import FileSystem

__all__ = []

MODEL, TMP, FIRST = 3, 4, 5
READ_WRITE = RIGHT_FD_READ | RIGHT_FD_WRITE
NO_RIGHTS_LIMIT = (1 << 64) - 1
ROOM = 32 * 1024


def _entry(folder: Path, path: str, content: bytes) -> MountEntry:
    host = folder / path
    host.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    return MountEntry(path=path, host=str(host), size=len(content), sha256=digest, modified_ns=1234)


@pytest.fixture
def mount(tmp_path: Path) -> Mount:
    """Return /model with one file and a link to it."""
    entries = (_entry(tmp_path, "a.txt", b"hello world"), MountEntry(path="link", link="a.txt"))
    return Mount(guest="/model", entries=entries)


def _guest(*mounts: Mount) -> MemoryGuest:
    return MemoryGuest(body=b"body", preopens=FileSystem(mounts, scratch_bytes=ROOM).preopens())


def _open(guest: MemoryGuest, fd: int, name: bytes, *, create: bool = False, flags: int = 0) -> int:
    guest.put(1000, name)
    rights = READ_WRITE if create else RIGHT_FD_READ
    oflags = OFLAG_CREAT if create else 0
    errno = guest.call("path_open", fd, 1, 1000, len(name), oflags, rights, NO_RIGHTS_LIMIT, flags, 64)
    assert errno == SUCCESS
    return guest.u32(64)


def _write(guest: MemoryGuest, fd: int, *texts: bytes, at: int | None = None) -> object:
    place = 2000
    for index, text in enumerate(texts):
        guest.put(place, text)
        guest.put_u32(8 * index, place, len(text))
        place += len(text)
    if at is None:
        return guest.call("fd_write", fd, 0, len(texts), 64)
    return guest.call("fd_pwrite", fd, 0, len(texts), at, 64)


def _read(guest: MemoryGuest, fd: int, limit: int = 100, *, at: int | None = None) -> bytes:
    guest.put_u32(0, 2000, limit)
    errno = guest.call("fd_read", fd, 0, 1, 64) if at is None else guest.call("fd_pread", fd, 0, 1, at, 64)
    assert errno == SUCCESS
    return guest.take(2000, guest.u32(64))


def _list(guest: MemoryGuest, fd: int, size: int, cookie: int = 0) -> Iterator[tuple[bytes, int]]:
    # (name, cookie of the next), as a libc reads them: what was cut is asked for again.
    while True:
        assert guest.call("fd_readdir", fd, 8192, size, cookie, 64) == SUCCESS
        used, at = guest.u32(64), 0
        while at + 24 <= used:
            cookie_next, _, length, _ = struct.unpack("<QQIB3x", guest.take(8192 + at, 24))
            if at + 24 + length > used:
                break
            cookie = cookie_next
            yield guest.take(8192 + at + 24, length), cookie
            at += 24 + length
        if used < size:
            return


def test_granted_file_is_read(mount: Mount) -> None:
    """A granted file is read in order, at an offset, and after a seek."""
    guest = _guest(mount)
    fd = _open(guest, MODEL, b"link")

    assert (fd, _read(guest, fd, 5), _read(guest, fd)) == (FIRST, b"hello", b" world")
    assert (_read(guest, fd), _read(guest, fd, 3, at=6), _read(guest, fd, at=99)) == (b"", b"wor", b"")
    assert guest.call("fd_seek", fd, 6, WHENCE_SET, 64) == SUCCESS
    assert _read(guest, fd) == b"world"


def test_granted_files_are_read_once(mount: Mount) -> None:
    """Invocations share what was read when the function was loaded, though the file is gone since."""
    files = FileSystem([mount], scratch_bytes=ROOM)
    Path(mount.entries[0].host).unlink()

    for _ in range(2):
        guest = MemoryGuest(preopens=files.preopens())
        assert _read(guest, _open(guest, MODEL, b"a.txt")) == b"hello world"


@pytest.mark.parametrize("change", ["other text", "cut", "gone", "folder"])
def test_changed_file_is_not_taken_up(mount: Mount, change: str) -> None:
    """A worker loads only the file that the server has checked, and its error has no path of the host."""
    host = Path(mount.entries[0].host)
    if change in ("gone", "folder"):
        host.unlink()
    if change == "folder":
        host.mkdir()
    elif change != "gone":
        host.write_bytes({"other text": b"hello worlt", "cut": b"hello"}[change])

    with pytest.raises(HostError, match=r"^file '/model/a\.txt': ") as caught:
        FileSystem([mount], scratch_bytes=ROOM)

    assert str(host) not in str(caught.value)


def test_scratch_is_one_invocations() -> None:
    """What one invocation writes to /tmp the next does not find."""
    files = FileSystem((), scratch_bytes=ROOM)
    first = MemoryGuest(preopens=files.preopens())
    _write(first, _open(first, 3, b"x", create=True), b"secret")

    second = MemoryGuest(preopens=files.preopens())

    assert [name for name, _ in _list(second, 3, 1000)] == [b".", b".."]


def test_writable_mount_is_a_copy(mount: Mount) -> None:
    """A writable mount changes for its invocation alone, and the file on disk not at all."""
    writable = Mount(guest="/model", entries=mount.entries, is_writable=True)
    files = FileSystem([writable], scratch_bytes=ROOM)
    first = MemoryGuest(preopens=files.preopens())
    _write(first, _open(first, MODEL, b"a.txt", create=True), b"J")
    second = MemoryGuest(preopens=files.preopens())

    assert _read(first, _open(first, MODEL, b"a.txt")) == b"Jello world"
    assert _read(second, _open(second, MODEL, b"a.txt")) == b"hello world"
    assert Path(mount.entries[0].host).read_bytes() == b"hello world"


def test_written_and_read_back() -> None:
    """Writes go on where the last ended; beyond the end there are zeros; an offset moves no position."""
    guest = _guest()
    fd = _open(guest, 3, b"x", create=True)

    assert _write(guest, fd, b"one ", b"two") == SUCCESS
    assert _write(guest, fd, b"T", at=4) == SUCCESS
    assert _write(guest, fd, b"!", at=9) == SUCCESS
    assert _write(guest, fd, b"-") == SUCCESS
    assert _read(guest, fd, at=0) == b"one Two-\0!"


def test_append_writes_to_the_end() -> None:
    """With ``append`` each write goes to the end, wherever the position is."""
    guest = _guest()
    fd = _open(guest, 3, b"x", create=True, flags=FDFLAG_APPEND)

    _write(guest, fd, b"ab")
    guest.call("fd_seek", fd, 0, WHENCE_SET, 64)
    _write(guest, fd, b"cd")

    assert _read(guest, fd, at=0) == b"abcd"
    assert guest.call("fd_tell", fd, 64) == SUCCESS
    assert guest.u64(64) == 4


def test_full_scratch_is_enospc() -> None:
    """What does not fit is ENOSPC; of several pieces those that fit are written, and told."""
    guest = _guest()
    fd = _open(guest, 3, b"x", create=True)
    most = bytes(ROOM - 600)

    assert _write(guest, fd, most, bytes(4000)) == SUCCESS
    assert guest.u32(64) == len(most)
    assert _write(guest, fd, bytes(4000)) == ENOSPC


@pytest.mark.parametrize("size", [40, 256, 8192])
def test_folder_is_listed_once_each(size: int) -> None:
    """Whatever the buffer, each name comes once, though files are removed and made meanwhile."""
    guest = _guest()
    names = [b"file-%d" % index for index in range(50)]
    for name in names:
        guest.call("fd_close", _open(guest, 3, name, create=True))
    listed = []

    for name, _ in _list(guest, 3, size):
        listed.append(name)
        if name.startswith(b"file"):
            guest.put(1000, name)
            assert guest.call("path_unlink_file", 3, 1000, len(name)) == SUCCESS

    assert listed == [b".", b"..", *names]


def test_filestat_of_a_granted_file(mount: Mount) -> None:
    """A file's attributes: device, inode, type, links, size and the time that it has on disk."""
    guest = _guest(mount)
    fd = _open(guest, MODEL, b"a.txt")

    assert guest.call("fd_filestat_get", fd, 64) == SUCCESS
    device, inode, filetype, links, size, *times = struct.unpack("<QQB7xQQQQQ", guest.take(64, 64))
    assert (device, filetype, links, size, times) == (2, 4, 1, 11, [1234] * 3)
    assert inode > 0


def test_poll_tells_what_is_left(mount: Mount) -> None:
    """``poll_oneoff`` on a file is ready, with what is left to its end."""
    guest = _guest(mount)
    fd = _open(guest, MODEL, b"a.txt")
    _read(guest, fd, 5)
    guest.put(512, struct.pack("<QB7xI28x", 7, 1, fd))

    assert guest.call("poll_oneoff", 512, 1024, 1, 64) == SUCCESS
    assert struct.unpack("<QHB5xQH6x", guest.take(1024, 32)) == (7, 0, 1, 6, 0)


EDGES = [0, 3, 65_535, 65_536, 65_537, 1 << 31, (1 << 32) - 1, -1]


@pytest.mark.parametrize("name", sorted(name for _, name in preview1.FUNCTIONS if name[:3] in ("fd_", "pat")))
def test_any_argument_gets_an_errno(mount: Mount, name: str) -> None:
    """On a folder, granted or scratch, and on a file any arguments get an errno."""
    params = preview1.FUNCTIONS[preview1.MODULE, name].type.params
    files = FileSystem([mount], scratch_bytes=ROOM)
    for fd in (MODEL, TMP, FIRST):
        for edge in EDGES:
            for position in range(len(params)):
                guest = MemoryGuest(preopens=files.preopens())
                _open(guest, TMP, b"x", create=True)
                guest.put(0, b"x" + bytes(15))
                args = [fd if at in (0, 4) else 1 for at in range(len(params))]
                args[position] = edge

                errno = guest.call(name, *args)

                assert isinstance(errno, int), args
                assert 0 <= errno <= 76, args


POINTERS: dict[str, list[int | None]] = {
    "fd_pread": [FIRST, None, 1, 0, 64],
    "fd_pwrite": [FIRST, None, 1, 0, 64],
    "fd_prestat_get": [TMP, None],
    "fd_prestat_dir_name": [TMP, None, 4],
    "fd_readdir": [TMP, None, 8, 0, 64],
    "fd_seek": [FIRST, 0, 0, None],
    "fd_tell": [FIRST, None],
    "fd_filestat_get": [FIRST, None],
    "path_filestat_get": [TMP, 0, 0, 1, None],
    "path_create_directory": [TMP, None, 1],
    "path_link": [TMP, 0, None, 1, TMP, 0, 1],
    "path_open": [TMP, 0, 0, 1, 0, 0, 0, 0, None],
    "path_readlink": [MODEL, 16, 4, None, 1, 64],
    "path_rename": [TMP, 0, 1, TMP, None, 1],
    "path_symlink": [None, 1, TMP, 0, 1],
    "path_unlink_file": [TMP, None, 1],
}


@pytest.mark.parametrize("pointer", [65_536, 65_537, 1 << 31, (1 << 32) - 1])
@pytest.mark.parametrize("name", POINTERS)
def test_pointer_outside_memory_is_efault(mount: Mount, name: str, pointer: int) -> None:
    """A pointer outside memory is EFAULT: nothing is written and no descriptor opened."""
    guest = _guest(mount)
    _open(guest, TMP, b"x", create=True)
    guest.put(0, b"x")
    guest.put(16, b"link")
    before = bytes(guest.memory)

    errno = guest.call(name, *[pointer if arg is None else arg for arg in POINTERS[name]])

    assert errno == EFAULT
    assert bytes(guest.memory) == before
    assert sorted(guest.context.descriptors) == [0, 1, 2, MODEL, TMP, FIRST]
