"""Whatever a guest does in its scratch folder, the memory that it makes us hold stays within its limit."""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from unit.hosts.guest_memory import MemoryGuest
from wasm_grpc.core.model import MIB
from wasm_grpc.hosts.wasi.abi import (
    EBADF,
    EMFILE,
    ENOENT,
    ENOSPC,
    OFLAG_CREAT,
    RIGHT_FD_READ,
    RIGHT_FD_WRITE,
    SUCCESS,
)
from wasm_grpc.hosts.wasi.mounts import FileSystem
from wasm_grpc.hosts.wasi.streams import Stderr

__all__ = []

TMP = 3
ROOM = MIB
MOST = 2 * ROOM + MIB // 4
"""What grows is moved, so a file is held twice for a moment; the rest is tracemalloc's own and the guest's page."""
ALL_RIGHTS = (1 << 29) - 1


class ScratchGuest(MemoryGuest):
    """A guest with a scratch folder and nothing else; its methods return errnos."""

    def __init__(self, log: Stderr | None = None) -> None:
        super().__init__(preopens=FileSystem((), scratch_bytes=ROOM).preopens(log))

    def path(self, name: str, path: bytes, *args: int, fd: int = TMP) -> int:
        """Call a function of one path."""
        self.put(1000, path)
        return int(self.call(name, fd, 1000, len(path), *args) or SUCCESS)

    def make(self, path: bytes, *, keep_open: bool = False) -> int:
        """Make a file; with `keep_open` its descriptor is at address 64."""
        self.put(1000, path)
        rights = RIGHT_FD_READ | RIGHT_FD_WRITE | ALL_RIGHTS
        errno = self.call("path_open", TMP, 0, 1000, len(path), OFLAG_CREAT, rights, rights, 0, 64)
        if errno == SUCCESS and not keep_open:
            self.call("fd_close", self.u32(64))
        return int(errno or SUCCESS)

    def rename(self, old: bytes, new: bytes) -> int:
        """Rename a file."""
        self.put(1000, old)
        self.put(2000, new)
        return int(self.call("path_rename", TMP, 1000, len(old), TMP, 2000, len(new)) or SUCCESS)

    def link(self, old: bytes, new: bytes) -> int:
        """Return a file one more name."""
        self.put(1000, old)
        self.put(2000, new)
        return int(self.call("path_link", TMP, 0, 1000, len(old), TMP, 2000, len(new)) or SUCCESS)

    def symlink(self, target: bytes, path: bytes) -> int:
        """Make a symbolic link."""
        self.put(1000, target)
        self.put(6000, path)
        return int(self.call("path_symlink", 1000, len(target), TMP, 6000, len(path)) or SUCCESS)

    def resize(self, fd: int, size: int) -> int:
        """Set a file's length."""
        return int(self.call("fd_filestat_set_size", fd, size) or SUCCESS)

    def capacity(self) -> int:
        """Return how long a new file may become."""
        assert self.make(b"room", keep_open=True) == SUCCESS
        fd, low, high = self.u32(64), 0, 4 * ROOM
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self.resize(fd, middle) == SUCCESS else (low, middle - 1)
            self.resize(fd, 0)
        self.call("fd_close", fd)
        assert self.path("path_unlink_file", b"room") == SUCCESS
        return low


def names(length: int = 0) -> Iterator[bytes]:
    """Return names that are all different, padded to a length."""
    return (b"%x" % number + b"n" * max(0, length - len(b"%x" % number)) for number in itertools.count())


def rename_to_long_names(guest: ScratchGuest) -> None:
    """Make a file under a short name, and remove it under a long one."""
    for _ in range(1500):
        assert guest.make(b"a") == guest.rename(b"a", b"x" * 255) == SUCCESS
        assert guest.path("path_unlink_file", b"x" * 255) == SUCCESS


def rename_over_others(guest: ScratchGuest) -> None:
    """Rename a file onto another, over and over."""
    for _ in range(1500):
        assert guest.make(b"a") == guest.make(b"y" * 200) == guest.rename(b"a", b"y" * 200) == SUCCESS
        assert guest.rename(b"y" * 200, b"b") == guest.path("path_unlink_file", b"b") == SUCCESS


def make_files(guest: ScratchGuest) -> None:
    """Make files until there is no room, under short names."""
    assert next(errno for errno in map(guest.make, names()) if errno != SUCCESS) == ENOSPC


def make_links(guest: ScratchGuest) -> None:
    """Return one file names until there is no room."""
    assert guest.make(b"file") == SUCCESS
    errnos = (guest.link(b"file", b"_" + name) for name in names())
    assert next(errno for errno in errnos if errno != SUCCESS) == ENOSPC


def make_symlinks(guest: ScratchGuest) -> None:
    """Make symbolic links until there is no room, with long targets."""
    errnos = (guest.symlink(b"t" * 4000, name) for name in names())
    assert next(errno for errno in errnos if errno != SUCCESS) == ENOSPC


def leave_emptied_folders(guest: ScratchGuest) -> None:
    """Fill folder after folder, and leave one file in each: a dictionary doesn't shrink by itself."""
    for folder in itertools.islice(names(), 40):
        assert guest.path("path_create_directory", b"d" + folder) == SUCCESS
        files = [b"d" + folder + b"/" + name for name in itertools.islice(names(), 1000)]
        assert {guest.make(file) for file in files} == {SUCCESS}
        assert {guest.path("path_unlink_file", file) for file in files[1:]} == {SUCCESS}


def shorten_files(guest: ScratchGuest) -> None:
    """Make files long and cut them, one after the other."""
    for name in itertools.islice(names(), 200):
        assert guest.make(name, keep_open=True) == SUCCESS
        fd = guest.u32(64)
        assert guest.resize(fd, ROOM // 4) == guest.resize(fd, 1) == SUCCESS
        guest.call("fd_close", fd)


def keep_removed_files_open(guest: ScratchGuest) -> None:
    """Remove files whose descriptors stay open, until no more may be."""
    for name in names():
        if (errno := guest.make(name, keep_open=True)) != SUCCESS:
            assert errno == EMFILE
            # No file was made for which there is no descriptor.
            assert guest.path("path_unlink_file", name) == ENOENT
            break
        assert guest.path("path_unlink_file", name) == SUCCESS
    for fd in range(TMP + 1, 2000):
        if guest.call("fd_close", fd) == EBADF:
            break


def list_under_other_names(guest: ScratchGuest) -> None:
    """Begin to list a folder through many descriptors, and rename all that is in it between them."""
    others = names(250)
    files = list(itertools.islice(others, 200))
    assert {guest.make(file) for file in files} == {SUCCESS}
    for _ in range(100):
        guest.put(1000, b".")
        assert guest.call("path_open", TMP, 0, 1000, 1, 0, RIGHT_FD_READ, ALL_RIGHTS, 0, 64) == SUCCESS
        assert guest.call("fd_readdir", guest.u32(64), 2000, 100, 0, 68) == SUCCESS
        renamed = list(itertools.islice(others, len(files)))
        assert {guest.rename(*pair) for pair in zip(files, renamed, strict=True)} == {SUCCESS}
        files = renamed


@contextmanager
def _measured() -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
    finally:
        tracemalloc.stop()


TRICKS: list[Callable[[ScratchGuest], None]] = [
    rename_to_long_names,
    rename_over_others,
    make_files,
    make_links,
    make_symlinks,
    leave_emptied_folders,
    shorten_files,
    keep_removed_files_open,
    list_under_other_names,
]


@pytest.mark.parametrize("trick", TRICKS, ids=[trick.__name__ for trick in TRICKS])
def test_memory_stays_within_the_limit(trick: Callable[[ScratchGuest], None]) -> None:
    """However files are made, renamed, linked, cut and removed."""
    with _measured():
        guest = ScratchGuest()
        trick(guest)
        _, peak = tracemalloc.get_traced_memory()

    assert peak < MOST


@pytest.mark.parametrize("trick", [rename_to_long_names, rename_over_others, keep_removed_files_open])
def test_room_is_given_back_once(trick: Callable[[ScratchGuest], None]) -> None:
    """What is removed gives back what it took, no more and no less."""
    guest = ScratchGuest()
    before = guest.capacity()

    trick(guest)

    assert guest.capacity() == before


def test_a_full_folder_is_told_once() -> None:
    """The first thing that does not fit adds one line to the guest's log, with the limit."""
    log = Stderr(1 << 10)
    guest = ScratchGuest(log)
    assert guest.make(b"file", keep_open=True) == SUCCESS
    fd = guest.u32(64)

    errnos = [guest.resize(fd, size) for size in (1, 2 * ROOM, 2, 3 * ROOM)]

    assert errnos == [SUCCESS, ENOSPC, SUCCESS, ENOSPC]
    assert log.tail() == (
        b"/tmp: no room for more; expected at most 1 MiB (limits.scratch; for `run`: --scratch-limit)\n"
    )
