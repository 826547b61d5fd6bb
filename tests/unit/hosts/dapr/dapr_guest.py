"""A guest with ``/dapr``, whose calls are Python's."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from conformance.dapr.fake_dapr import FakeDapr
from unit.hosts.guest_memory import MemoryGuest
from wasm_grpc.core.model import DaprGrants, Grants, Limits
from wasm_grpc.engines.protocol import Value
from wasm_grpc.guests.binding import bind
from wasm_grpc.guests.protocol import GuestCall
from wasm_grpc.hosts.dapr.module import DaprAsFiles
from wasm_grpc.hosts.wasi.abi import (
    FILESTAT,
    OFLAG_CREAT,
    OFLAG_EXCL,
    OFLAG_TRUNC,
    RIGHT_FD_READ,
    RIGHT_FD_WRITE,
    SUCCESS,
)
from wasm_grpc.hosts.wasi.mounts import FileSystem
from wasm_grpc.hosts.wasi.streams import BytesStdin, CollectedStdout, Stderr

__all__ = ["DAPR", "TMP", "DaprGuest"]

TMP, DAPR = 3, 4
PATH_AT, OTHER_PATH_AT, DATA_AT, LISTED_AT, ANSWER_AT = 1024, 6144, 16_384, 40_960, 64

_RIGHTS = {"r": RIGHT_FD_READ, "w": RIGHT_FD_WRITE, "+": RIGHT_FD_READ | RIGHT_FD_WRITE}
_OFLAGS = {"c": OFLAG_CREAT, "t": OFLAG_TRUNC, "x": OFLAG_EXCL}
_ALL_RIGHTS = (1 << 29) - 1

GRANTS = DaprGrants(
    state=("store/k", "store/orders-*", "other/*"),
    secrets=("vault/one", "vault/many"),
    configuration=("config/colour", "config/odd/name"),
    publish=("pubsub/news", "pubsub/wide-*"),
    bindings=("mail/create",),
    invoke=("app/upper", "app/*"),
)


class DaprGuest:
    """
    A guest that was granted something of each kind.

    Attributes:
        dapr: What it calls.
        call: Its invocation.
        memory: Its memory and its context.
    """

    def __init__(
        self, grants: DaprGrants = GRANTS, *, limits: Limits | None = None, dapr: FakeDapr | None = None
    ) -> None:
        self.dapr = dapr or FakeDapr()
        self.memory = MemoryGuest()
        limits = limits or Limits()
        self.call = GuestCall(
            args=b"",
            env=b"",
            stdin=BytesStdin(b""),
            stdout=CollectedStdout(None),
            stderr=Stderr(1 << 16),
            limits=limits,
            preopens=FileSystem((), scratch_bytes=1 << 16).preopens(),
            states={DaprAsFiles.state: DaprAsFiles().open(Grants(dapr=grants))},
            dapr=self.dapr,
        )
        bind(self.memory.context, self.call)

    @property
    def log(self) -> str:
        """What the host has written to the guest's log."""
        return self.call.stderr.tail().decode()

    def wasi(self, name: str, *args: int) -> Value | None:
        """Call a function of WASI; what it returns is its errno."""
        return self.memory.call(name, *args)

    def path(self, name: str, path: bytes | str, *args: int, fd: int = DAPR) -> Value | None:
        """Call a function that takes a directory and a path."""
        return self.wasi(name, fd, *self._put_path(path), *args)

    def try_open(
        self, path: bytes | str, mode: str = "r", *, flags: int = 0, oflags: int = 0
    ) -> Value | None:
        """Open as `mode` says: r, w or + (both), and any of c(reate), t(runcate), x (exclusively)."""
        rights = _RIGHTS[mode[0]]
        oflags |= sum(_OFLAGS[letter] for letter in mode[1:])
        at, length = self._put_path(path)
        return self.wasi("path_open", DAPR, 1, at, length, oflags, rights, _ALL_RIGHTS, flags, ANSWER_AT)

    def open(self, path: bytes | str, mode: str = "r", *, flags: int = 0) -> int:
        """Open, and return the descriptor."""
        assert self.try_open(path, mode, flags=flags) == SUCCESS
        return self.memory.u32(ANSWER_AT)

    def try_read(self, fd: int, limit: int = 8192, *, at: int | None = None) -> Value | None:
        """Read once, in place or at an offset."""
        self.memory.put_u32(0, DATA_AT, limit)
        return (
            self.wasi("fd_read", fd, 0, 1, ANSWER_AT)
            if at is None
            else self.wasi("fd_pread", fd, 0, 1, at, ANSWER_AT)
        )

    def read(self, fd: int, limit: int = 8192, *, at: int | None = None) -> bytes:
        """Read once, and return what was read."""
        assert self.try_read(fd, limit, at=at) == SUCCESS
        return self.memory.take(DATA_AT, self.memory.u32(ANSWER_AT))

    def try_write(self, fd: int, data: bytes, *, at: int | None = None) -> Value | None:
        """Write once, in place or at an offset."""
        self.memory.put(DATA_AT, data)
        self.memory.put_u32(0, DATA_AT, len(data))
        return (
            self.wasi("fd_write", fd, 0, 1, ANSWER_AT)
            if at is None
            else self.wasi("fd_pwrite", fd, 0, 1, at, ANSWER_AT)
        )

    def write(self, fd: int, data: bytes, *, at: int | None = None) -> None:
        """Write once; all of it is taken."""
        assert self.try_write(fd, data, at=at) == SUCCESS
        assert self.memory.u32(ANSWER_AT) == len(data)

    def seek(self, fd: int, delta: int, whence: int) -> int:
        """Seek, and return the new position."""
        assert self.wasi("fd_seek", fd, delta, whence, ANSWER_AT) == SUCCESS
        return self.memory.u64(ANSWER_AT)

    def tell(self, fd: int) -> int:
        """Return the position."""
        assert self.wasi("fd_tell", fd, ANSWER_AT) == SUCCESS
        return self.memory.u64(ANSWER_AT)

    def close(self, fd: int) -> Value | None:
        """Close; what it returns is its errno."""
        return self.wasi("fd_close", fd)

    def size(self, path: bytes | str) -> int:
        """Return the size in a path's ``filestat``."""
        at, length = self._put_path(path)
        assert self.wasi("path_filestat_get", DAPR, 1, at, length, ANSWER_AT) == SUCCESS
        size: int = FILESTAT.unpack(self.memory.take(ANSWER_AT, FILESTAT.size))[4]
        return size

    def stat(self, path: bytes | str) -> Value | None:
        """Ask for a path's ``filestat``; what it returns is its errno."""
        return self.path_with_lookup("path_filestat_get", path, ANSWER_AT)

    def path_with_lookup(self, name: str, path: bytes | str, *args: int) -> Value | None:
        """Call a function that takes a directory, flags of the lookup and a path."""
        return self.wasi(name, DAPR, 1, *self._put_path(path), *args)

    def listed(self, path: bytes | str | None = None) -> list[bytes]:
        """Return the names in a directory, but for "." and ".."."""
        fd = DAPR if path is None else self.open(path)
        assert self.wasi("fd_readdir", fd, LISTED_AT, 8192, 0, ANSWER_AT) == SUCCESS
        return [name for name in self._entries() if name not in {b".", b".."}]

    def two_paths(self, name: str, fd: int, path: bytes | str, to: int, new: bytes | str) -> Value | None:
        """Call ``path_rename`` or ``path_link``."""
        text = new.encode() if isinstance(new, str) else new
        self.memory.put(OTHER_PATH_AT, text)
        lookup = (0,) if name == "path_link" else ()
        return self.wasi(name, fd, *lookup, *self._put_path(path), to, OTHER_PATH_AT, len(text))

    def _put_path(self, path: bytes | str) -> tuple[int, int]:
        text = path.encode() if isinstance(path, str) else path
        self.memory.put(PATH_AT, text)
        return PATH_AT, len(text)

    def _entries(self) -> Iterator[bytes]:
        used, at = self.memory.u32(ANSWER_AT), 0
        while at < used:
            _, inode, length, _ = struct.unpack("<QQIB3x", self.memory.take(LISTED_AT + at, 24))
            assert inode
            yield self.memory.take(LISTED_AT + at + 24, length)
            at += 24 + length
