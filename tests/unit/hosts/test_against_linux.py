"""The files of a guest beside those of Linux: the same steps give the same answers."""

# A Path would tidy the slashes away.
# ruff: noqa: PTH102, PTH104, PTH106, PTH108, PTH115, PTH116, PTH123, PTH208, PTH211

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unit.hosts.guest_memory import MemoryGuest
from wasm_grpc.core.model import MIB
from wasm_grpc.hosts.wasi import abi
from wasm_grpc.hosts.wasi.mounts import FileSystem

__all__ = []

pytestmark = pytest.mark.skipif(os.uname().sysname != "Linux", reason="errnos differ elsewhere")

ERRNOS = {getattr(abi, name): name for name in errno.errorcode.values() if hasattr(abi, name)}
TYPES = {stat.S_IFDIR: abi.FILETYPE_DIRECTORY, stat.S_IFREG: abi.FILETYPE_REGULAR_FILE}
FOLDER, AT, THERE, SIZE = 3, 4096, 8192, 16_384

# Few names, so that steps meet. None leaves the folder: there the guest's EPERM has no counterpart.
NAMES = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=3)
PATHS = st.builds(lambda names, end: "/".join(names) + end, NAMES, st.sampled_from(["", "", "", "/", "//"]))
TARGETS = st.sampled_from(["a", "b", "a/b", "c/", "./b", "nowhere"])
OFLAGS = st.sampled_from([0, abi.OFLAG_CREAT, abi.OFLAG_CREAT | abi.OFLAG_EXCL, abi.OFLAG_TRUNC])
STEPS = st.one_of(
    st.tuples(st.sampled_from(["mkdir", "rmdir", "unlink", "readlink", "list", "stat", "lstat"]), PATHS),
    st.tuples(st.sampled_from(["rename", "link"]), PATHS, PATHS),
    st.tuples(st.just("symlink"), TARGETS, PATHS),
    st.tuples(st.just("write"), PATHS, OFLAGS, st.integers(0, 30), st.binary(max_size=20)),
    st.tuples(st.just("read"), PATHS),
)

# Of two things that are wrong Linux names the other one.
OTHERWISE = {
    # A file takes the place of the folder that it lies in.
    ("rename", "EISDIR", "ENOTEMPTY"),
    # A file is made through a link, with a slash at the end.
    ("write", "ELOOP", "EISDIR"),
    ("write", "ENOENT", "EISDIR"),
    ("write", "ENOTDIR", "EISDIR"),
}


class Guest:
    """What a guest is answered in /tmp."""

    def __init__(self) -> None:
        self._guest = MemoryGuest(preopens=FileSystem((), scratch_bytes=MIB).preopens())

    def _call(self, name: str, *args: int | str) -> None:
        flat: list[int] = []
        for place, arg in enumerate(args):
            if isinstance(arg, str):
                self._guest.put(AT + 512 * place, arg.encode())
                flat += [AT + 512 * place, len(arg)]
            else:
                flat.append(arg)
        number = self._guest.call(name, *flat)
        if number:
            raise OSError(getattr(errno, ERRNOS[int(number)]), name)

    def mkdir(self, path: str) -> None:
        self._call("path_create_directory", FOLDER, path)

    def rmdir(self, path: str) -> None:
        self._call("path_remove_directory", FOLDER, path)

    def unlink(self, path: str) -> None:
        self._call("path_unlink_file", FOLDER, path)

    def rename(self, path: str, new: str) -> None:
        self._call("path_rename", FOLDER, path, FOLDER, new)

    def link(self, path: str, new: str) -> None:
        self._call("path_link", FOLDER, 0, path, FOLDER, new)

    def symlink(self, target: str, path: str) -> None:
        self._call("path_symlink", target, FOLDER, path)

    def readlink(self, path: str) -> bytes:
        self._call("path_readlink", FOLDER, path, THERE, 512, SIZE)
        return self._guest.take(THERE, self._guest.u32(SIZE))

    def stat(self, path: str, *, lookup: int = abi.LOOKUP_SYMLINK_FOLLOW) -> tuple[int, ...]:
        self._call("path_filestat_get", FOLDER, lookup, path, THERE)
        _, _, kind, links, size, *_ = abi.FILESTAT.unpack(self._guest.take(THERE, abi.FILESTAT.size))
        return (kind,) if kind == abi.FILETYPE_DIRECTORY else (kind, links, size)

    def lstat(self, path: str) -> tuple[int, ...]:
        return self.stat(path, lookup=0)

    def list(self, path: str) -> tuple[bytes, ...]:
        fd = self._open(path, abi.OFLAG_DIRECTORY, abi.RIGHT_FD_READ)
        self._call("fd_readdir", fd, THERE, SIZE - THERE, 0, SIZE)
        found, at, end = [], THERE, THERE + self._guest.u32(SIZE)
        while at < end:
            _, _, length, _ = abi.DIRENT.unpack(self._guest.take(at, abi.DIRENT.size))
            found.append(self._guest.take(at + abi.DIRENT.size, length))
            at += abi.DIRENT.size + length
        self._call("fd_close", fd)
        return tuple(sorted(set(found) - {b".", b".."}))

    def read(self, path: str) -> bytes:
        fd = self._open(path, 0, abi.RIGHT_FD_READ)
        if self._is_folder(fd):
            raise OSError(errno.EISDIR, path)
        self._guest.put_u32(64, THERE, 512)
        self._call("fd_read", fd, 64, 1, SIZE)
        self._call("fd_close", fd)
        return self._guest.take(THERE, self._guest.u32(SIZE))

    def write(self, path: str, oflags: int, offset: int, text: bytes) -> None:
        fd = self._open(path, oflags, abi.RIGHT_FD_WRITE)
        self._guest.put(THERE, text)
        self._guest.put_u32(64, THERE, len(text))
        self._call("fd_pwrite", fd, 64, 1, offset, SIZE)
        self._call("fd_close", fd)

    def _open(self, path: str, oflags: int, rights: int) -> int:
        follow = abi.LOOKUP_SYMLINK_FOLLOW
        self._call("path_open", FOLDER, follow, path, oflags, rights, 0, 0, SIZE)
        return self._guest.u32(SIZE)

    def _is_folder(self, fd: int) -> bool:
        self._call("fd_fdstat_get", fd, THERE)
        is_folder = self._guest.take(THERE, 1)[0] == abi.FILETYPE_DIRECTORY
        if is_folder:
            self._call("fd_close", fd)
        return is_folder


class Linux:
    """What this system answers in a folder of its own."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def _at(self, path: str) -> str:
        return f"{self._folder}/{path}"

    def mkdir(self, path: str) -> None:
        os.mkdir(self._at(path))

    def rmdir(self, path: str) -> None:
        os.rmdir(self._at(path))

    def unlink(self, path: str) -> None:
        os.unlink(self._at(path))

    def rename(self, path: str, new: str) -> None:
        os.rename(self._at(path), self._at(new))

    def link(self, path: str, new: str) -> None:
        os.link(self._at(path), self._at(new), follow_symlinks=False)

    def symlink(self, target: str, path: str) -> None:
        os.symlink(target, self._at(path))

    def readlink(self, path: str) -> bytes:
        return os.fsencode(os.readlink(self._at(path)))

    def stat(self, path: str) -> tuple[int, ...]:
        return self._told(os.stat(self._at(path)))

    def lstat(self, path: str) -> tuple[int, ...]:
        return self._told(os.lstat(self._at(path)))

    def list(self, path: str) -> tuple[bytes, ...]:
        return tuple(sorted(map(os.fsencode, os.listdir(self._at(path)))))

    def read(self, path: str) -> bytes:
        with open(self._at(path), "rb") as file:
            return file.read()

    def write(self, path: str, oflags: int, offset: int, text: bytes) -> None:
        flags = {abi.OFLAG_CREAT: os.O_CREAT, abi.OFLAG_EXCL: os.O_EXCL, abi.OFLAG_TRUNC: os.O_TRUNC}
        asked = sum(flag for bit, flag in flags.items() if oflags & bit)
        fd = os.open(self._at(path), os.O_WRONLY | asked, 0o600)
        try:
            os.pwrite(fd, text, offset)
        finally:
            os.close(fd)

    @staticmethod
    def _told(status: os.stat_result) -> tuple[int, ...]:
        kind = TYPES.get(stat.S_IFMT(status.st_mode), abi.FILETYPE_SYMBOLIC_LINK)
        return (kind,) if kind == abi.FILETYPE_DIRECTORY else (kind, status.st_nlink, status.st_size)


def _answer(act: Callable[..., object], *args: object) -> object:
    try:
        return act(*args)
    except OSError as exc:
        return errno.errorcode[exc.errno or 0]


@settings(max_examples=300, deadline=None)
@given(st.lists(STEPS, min_size=5, max_size=40))
def test_same_steps_same_answers(steps: list[tuple[str, ...]]) -> None:
    """Making, removing, moving, linking, reading and writing files answers as Linux does."""
    with tempfile.TemporaryDirectory() as folder:
        guest, linux = Guest(), Linux(folder)
        for number, (name, *args) in enumerate(steps):
            found, expected = _answer(getattr(guest, name), *args), _answer(getattr(linux, name), *args)
            if (name, found, expected) not in OTHERWISE:
                assert found == expected, steps[: number + 1]
