"""Descriptors of open files and directories."""

from __future__ import annotations

from wasm_grpc.hosts.wasi.abi import (
    EBADF,
    ENOTCAPABLE,
    ESPIPE,
    FDFLAG_APPEND,
    FILETYPE_DIRECTORY,
    FILETYPE_REGULAR_FILE,
    RIGHT_FD_READ,
    RIGHT_FD_WRITE,
)
from wasm_grpc.hosts.wasi.calls import Refusal, open_descriptor
from wasm_grpc.hosts.wasi.context import WasiContext
from wasm_grpc.hosts.wasi.descriptors import Descriptor
from wasm_grpc.hosts.wasi.tree import File, Folder, Listing, Volume

__all__ = ["Cursor", "OpenFile", "OpenFolder", "open_file"]


class OpenFile(Descriptor):
    """
    An open regular file.

    Attributes:
        node: The file.
        volume: The file's volume.
        position: Offset of the next byte to read or write.
    """

    __slots__ = ("node", "position", "volume")

    filetype = FILETYPE_REGULAR_FILE

    def __init__(self, volume: Volume, node: File, *, rights: int, inheriting: int, flags: int) -> None:
        self.volume = volume
        self.node = node
        self.position = 0
        self.rights = rights
        self.inheriting = inheriting
        self.flags = flags
        node.opened += 1

    def close(self) -> None:
        """
        See `Descriptor.close`. A file without a name is freed with its last descriptor.
        """
        self.node.opened -= 1
        self.node.release(self.volume)

    def available(self) -> int:
        """
        See `Descriptor.available`: the bytes up to the file's end.
        """
        return max(0, self.node.size - self.position)

    # Methods, not attributes as in streams: an attribute with a bound method of its own object would make
    # a cycle, and the file's memory would be freed only by the garbage collector.
    def read(self, limit: int) -> memoryview:
        """
        See `Descriptor.read`.
        """
        at = self.position
        chunk = memoryview(self.node.content)[at : at + limit]
        self.position = at + len(chunk)
        return chunk

    def write(self, chunk: memoryview) -> None:
        """
        See `Descriptor.write`.

        Raises:
            Refusal: ENOSPC.
        """
        at = self.node.size if self.flags & FDFLAG_APPEND else self.position
        self.node.write(self.volume, at, chunk)
        self.position = at + len(chunk)


class Cursor:
    """
    Reads and writes a file from an offset of its own, as ``fd_pread`` and ``fd_pwrite`` do.
    """

    __slots__ = ("_at", "_file")

    def __init__(self, file: OpenFile, at: int) -> None:
        self._file = file
        self._at = at

    def read(self, limit: int) -> memoryview:
        """
        See `Descriptor.read`.
        """
        at = min(self._at, self._file.node.size)
        return memoryview(self._file.node.content)[at : at + limit]

    def write(self, chunk: memoryview) -> None:
        """
        See `Descriptor.write`. Writes at the offset even with ``append``, as POSIX requires.
        """
        self._file.node.write(self._file.volume, self._at, chunk)
        self._at += len(chunk)


class OpenFolder(Descriptor):
    """
    An open directory.

    Attributes:
        node: The directory.
        volume: The directory's volume.
        name: The guest's path of a preopened directory; else None.
        listing: The names that ``fd_readdir`` lists, as of its last call with cookie 0.
    """

    __slots__ = ("listing", "name", "node", "volume")

    filetype = FILETYPE_DIRECTORY

    def __init__(
        self, volume: Volume, node: Folder, *, rights: int, inheriting: int, name: bytes | None = None
    ) -> None:
        self.volume = volume
        self.node = node
        self.name = name
        self.listing: Listing | None = None
        self.rights = rights
        self.inheriting = inheriting
        self.flags = 0


def open_file(context: WasiContext, fd: int, right: int, *, stream_errno: int = ESPIPE) -> OpenFile:
    """
    Return the open file of `fd`.

    Args:
        context: The instance's context.
        fd: The descriptor's number.
        right: The right that it needs.
        stream_errno: The errno if it is a stream; the default is POSIX's for a pipe.

    Raises:
        Refusal: EBADF, it is not open, a directory, or not open for this; ENOTCAPABLE, it lacks
            another right.
    """
    descriptor = open_descriptor(context, fd)
    if isinstance(descriptor, OpenFolder):
        raise Refusal(EBADF)
    if not isinstance(descriptor, OpenFile):
        raise Refusal(stream_errno)
    if not descriptor.rights & right:
        raise Refusal(EBADF if right in (RIGHT_FD_READ, RIGHT_FD_WRITE) else ENOTCAPABLE)
    return descriptor
