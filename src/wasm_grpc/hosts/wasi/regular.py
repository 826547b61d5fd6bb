"""Regular files in memory, and the descriptors of what a guest reads and writes as a file."""

from __future__ import annotations

import time
from typing import Protocol

from wasm_grpc.hosts.wasi.abi import (
    EROFS,
    FDFLAG_APPEND,
    FILE_RIGHTS,
    FILETYPE_REGULAR_FILE,
)
from wasm_grpc.hosts.wasi.nodes import Node, OpenNode, OpenRequest
from wasm_grpc.hosts.wasi.refusal import Refusal
from wasm_grpc.hosts.wasi.volume import NODE_BYTES, Volume

__all__ = ["Cursor", "File", "OpenFile", "OpenRegular"]


class File(Node):
    """
    A regular file.

    Attributes:
        content: ``bytes`` before the first write; they may be shared with other files.
        opened: Number of open descriptors.
    """

    __slots__ = ("content", "opened")

    filetype = FILETYPE_REGULAR_FILE

    def __init__(self, volume: Volume, content: bytes = b"", modified_ns: int | None = None) -> None:
        super().__init__(volume, modified_ns)
        self.content: bytes | bytearray = content
        self.opened = 0

    @property
    def size(self) -> int:
        """
        See `Node.size`.
        """
        return len(self.content)

    def copy(self, volume: Volume) -> File:
        """
        See `Node.copy`.
        """
        return File(volume, bytes(self.content), self.modified_ns)

    def write(self, volume: Volume, at: int, chunk: memoryview) -> None:
        """
        Write `chunk` at an offset. A gap before it is filled with zeros.

        Raises:
            Refusal: ENOSPC.
        """
        end = at + len(chunk)
        if end > len(self.content) or not isinstance(self.content, bytearray):
            self.resize(volume, max(end, len(self.content)))
        self.content[at:end] = chunk  # type: ignore[index]  # `resize` made it a bytearray
        self.modified_ns = self.changed_ns = time.time_ns()

    def resize(self, volume: Volume, size: int) -> None:
        """
        Truncate the file, or extend it with zeros.

        Raises:
            Refusal: ENOSPC.
        """
        content = self.content
        # First the volume: if it is full, the file must not change.
        volume.take(size - len(content))
        if not isinstance(content, bytearray):
            # The first write makes a private copy of content that may be shared.
            self.content = content = bytearray(content)
        if size < len(content):
            del content[size:]
        else:
            content.extend(bytes(size - len(content)))
        self.modified_ns = self.changed_ns = time.time_ns()

    def open(self, request: OpenRequest) -> OpenFile:
        """
        See `Node.open`.

        Raises:
            Refusal: EEXIST, ENOTDIR; see also `open_anew`.
        """
        request.check_existing()
        request.check_file()
        return self.open_anew(request)

    def open_anew(self, request: OpenRequest) -> OpenFile:
        """
        Open it, whether or not it existed before the request.

        Raises:
            Refusal: EROFS; EPERM, the right to truncate it is missing.
        """
        base = request.base
        if request.writes and not base.volume.is_writable:
            raise Refusal(EROFS)
        request.check_truncation()
        if request.truncates:
            if not base.volume.is_writable:
                raise Refusal(EROFS)
            self.resize(base.volume, 0)
        return OpenFile.of(self, request)

    def release(self, volume: Volume) -> None:
        """
        See `Node.release`. Its contents are dropped once it has neither a name nor a descriptor.
        """
        if volume.is_writable and not self.links and not self.opened:
            volume.take(-NODE_BYTES - len(self.content))
            self.content = b""


class OpenRegular(OpenNode):
    """
    The descriptor of what a guest reads, writes and seeks in as a file.

    Attributes:
        position: Offset of the next byte to read or write.
    """

    __slots__ = ("position",)

    filetype = FILETYPE_REGULAR_FILE
    position: int

    @property
    def size(self) -> int:
        """
        The end that a guest seeks from.
        """
        return self.node.size

    def resize(self, size: int) -> None:
        """
        Truncate the file, or extend it with zeros.

        Raises:
            Refusal: ENOSPC, or EINVAL if it can't have that size.
        """
        raise NotImplementedError  # abstract; see `Node`

    def cursor(self, at: int) -> Cursor:
        """
        Return what reads and writes from an offset of its own, as ``fd_pread`` and ``fd_pwrite`` do.
        """
        raise NotImplementedError  # abstract; see `Node`


class OpenFile(OpenRegular):
    """
    An open file in memory.

    Attributes:
        node: The file.
    """

    __slots__ = ()

    node: File

    def __init__(self, volume: Volume, node: File, *, rights: int, inheriting: int, flags: int) -> None:
        self.volume = volume
        self.node = node
        self.position = 0
        self.rights = rights
        self.inheriting = inheriting
        self.flags = flags
        node.opened += 1

    @classmethod
    def of(cls, node: File, request: OpenRequest) -> OpenFile:
        """
        Open a file as requested.
        """
        rights = request.file_rights
        return cls(
            request.base.volume,
            node,
            rights=rights,
            inheriting=request.inheriting & FILE_RIGHTS & rights,
            flags=request.fdflags,
        )

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

    def resize(self, size: int) -> None:
        """
        See `OpenRegular.resize`.
        """
        self.node.resize(self.volume, size)

    def cursor(self, at: int) -> FileCursor:
        """
        See `OpenRegular.cursor`.
        """
        return FileCursor(self, at)


class Cursor(Protocol):
    """
    Reads and writes from an offset of its own.
    """

    def read(self, limit: int) -> bytes | memoryview:
        """
        See `Descriptor.read`.
        """
        ...

    def write(self, chunk: memoryview) -> None:
        """
        See `Descriptor.write`.
        """
        ...


class FileCursor:
    """
    A `Cursor` in a file in memory.
    """

    __slots__ = ("_at", "_file")

    def __init__(self, file: OpenFile, at: int) -> None:
        self._file = file
        self._at = at

    def read(self, limit: int) -> memoryview:
        """
        See `Cursor.read`.
        """
        at = min(self._at, self._file.node.size)
        return memoryview(self._file.node.content)[at : at + limit]

    def write(self, chunk: memoryview) -> None:
        """
        See `Cursor.write`. Writes at the offset even with ``append``, as POSIX requires.
        """
        self._file.node.write(self._file.volume, self._at, chunk)
        self._at += len(chunk)
