"""What every node of a guest's file system does: how it is opened, described and removed."""

from __future__ import annotations

import time
from dataclasses import dataclass

from wasm_grpc.hosts.wasi.abi import (
    EEXIST,
    EISDIR,
    ENAMETOOLONG,
    ENOTCAPABLE,
    ENOTDIR,
    EPERM,
    EROFS,
    FILE_RIGHTS,
    FILETYPE_DIRECTORY,
    FOLDER_RIGHTS,
    OFLAG_CREAT,
    OFLAG_DIRECTORY,
    OFLAG_EXCL,
    OFLAG_TRUNC,
    RIGHT_FD_READ,
    RIGHT_FD_WRITE,
    RIGHT_PATH_CREATE_FILE,
    RIGHT_PATH_FILESTAT_SET_SIZE,
)
from wasm_grpc.hosts.wasi.descriptors import Descriptor
from wasm_grpc.hosts.wasi.refusal import Refusal
from wasm_grpc.hosts.wasi.volume import NODE_BYTES, Listing, Volume

__all__ = ["READ_WRITE", "Directory", "Filestat", "Node", "OpenFolder", "OpenNode", "OpenRequest"]

READ_WRITE = RIGHT_FD_READ | RIGHT_FD_WRITE
_NAME_LIMIT_BYTES = 255
"""Limit on one name: Linux's ``NAME_MAX``."""

Filestat = tuple[int, int, int, int, int, int, int, int]
"""Device, inode, file type, links, size, and the times of access, modification and status change."""


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """
    What a guest requests of ``path_open``.

    Attributes:
        base: The directory that it opens through.
        oflags: The ``oflags``, which the caller has checked.
        rights: The rights that it asks for.
        inheriting: The rights of what is opened through the new descriptor.
        fdflags: The ``fdflags``, which the caller has checked.
    """

    base: OpenFolder
    oflags: int
    rights: int
    inheriting: int
    fdflags: int

    @property
    def writes(self) -> bool:
        """
        Whether it opens for writing.
        """
        return bool(self.rights & RIGHT_FD_WRITE)

    @property
    def reads(self) -> bool:
        """
        Whether it opens for reading.
        """
        return bool(self.rights & RIGHT_FD_READ)

    @property
    def creates(self) -> bool:
        """
        Whether a file that is missing is created.
        """
        return bool(self.oflags & OFLAG_CREAT)

    @property
    def truncates(self) -> bool:
        """
        Whether the file begins empty.
        """
        return bool(self.oflags & OFLAG_TRUNC)

    @property
    def is_exclusive(self) -> bool:
        """
        Whether it fails if the file exists.
        """
        return self.creates and bool(self.oflags & OFLAG_EXCL)

    @property
    def file_rights(self) -> int:
        """
        The rights of a file that it opens.
        """
        # Grant the other rights whether requested or not: toolchains request fewer rights than they use.
        return FILE_RIGHTS & self.base.inheriting & (self.rights | ~READ_WRITE)

    def check_file(self) -> None:
        """
        Raise ENOTDIR if it requests a directory: what it opens is a file.
        """
        if self.oflags & OFLAG_DIRECTORY:
            raise Refusal(ENOTDIR)

    def check_existing(self) -> None:
        """
        Raise EEXIST if it requests a new file: what it opens exists.
        """
        if self.is_exclusive:
            raise Refusal(EEXIST)

    def check_creation(self) -> None:
        """
        Raise ENOTCAPABLE if the directory lacks the right to create a file.
        """
        if not self.base.rights & RIGHT_PATH_CREATE_FILE:
            raise Refusal(ENOTCAPABLE)

    def check_truncation(self) -> None:
        """
        Raise EPERM if the file begins empty, and the directory lacks the right to truncate it.
        """
        if self.truncates and not self.base.rights & RIGHT_PATH_FILESTAT_SET_SIZE:
            # EPERM is what the standard's own tests expect (truncation_rights).
            raise Refusal(EPERM)


class Node:
    """
    A file, folder or link, or a name that stands for something elsewhere.

    The volume of its mount is passed to each method, since a node may be in the trees of many invocations.
    Neither nodes nor descriptors are an `abc.ABC`, although some of their methods are abstract: most calls of
    WASI look at the class with `isinstance`, which takes more than twice as long for an ABC.

    Attributes:
        filetype: Its type in ``filestat``.
        taken_errno: The errno if a new name is to be made where this node is.
        inode: Unique in its volume.
        links: Number of names.
        accessed_ns, modified_ns, changed_ns: Times, in nanoseconds since 1970.
    """

    __slots__ = ("accessed_ns", "changed_ns", "inode", "links", "modified_ns")

    filetype = 0
    taken_errno = EEXIST

    def __init__(self, volume: Volume, modified_ns: int | None = None) -> None:
        self.inode = volume.next_inode()
        self.links = 1
        now_ns = time.time_ns() if modified_ns is None else modified_ns
        self.accessed_ns = self.modified_ns = self.changed_ns = now_ns

    @property
    def size(self) -> int:
        """
        The size in ``filestat``.
        """
        return 0

    def filestat(self, volume: Volume) -> Filestat:
        """
        Return its attributes.

        Raises:
            Refusal: They can't be had.
        """
        return (
            volume.device,
            self.inode,
            self.filetype,
            self.links,
            self.size,
            self.accessed_ns,
            self.modified_ns,
            self.changed_ns,
        )

    def open(self, request: OpenRequest) -> Descriptor:
        """
        Open it.

        Raises:
            Refusal: It can't be opened as requested.
        """
        raise NotImplementedError  # abstract; see `Node`

    def unlink(self, volume: Volume, folder: Directory, name: bytes) -> None:
        """
        Remove one of its names, as ``path_unlink_file`` does.

        Raises:
            Refusal: EROFS, or another errno of ``path_unlink_file``.
        """
        if not volume.is_writable:
            raise Refusal(EROFS)
        self.remove(volume, folder, name)

    def remove(self, volume: Volume, folder: Directory, name: bytes) -> None:
        """
        Remove one of its names from a folder of a writable volume.
        """
        folder.drop(name)
        volume.give_back_name(name)
        self.links -= 1
        self.release(volume)

    def release(self, volume: Volume) -> None:
        """
        Refund what it costs its volume, once nothing refers to it.
        """
        if not self.links:
            volume.take(-NODE_BYTES - self.size)

    def copy(self, volume: Volume) -> Node:
        """
        Return a copy for another volume. Contents are shared until a write.
        """
        raise NotImplementedError  # abstract; see `Node`


class Directory(Node):
    """
    A node that names others.
    """

    __slots__ = ()

    filetype = FILETYPE_DIRECTORY

    @property
    def is_empty(self) -> bool:
        """
        Whether it has no names.
        """
        return False

    def next_name(self, names: list[bytes]) -> bytes:
        """
        Take the name that this directory resolves from the rest of a path.

        Args:
            names: The names of the path that are left, in reverse order; at least one.

        Raises:
            Refusal: ENAMETOOLONG.
        """
        name = names.pop()
        if len(name) > _NAME_LIMIT_BYTES:
            raise Refusal(ENAMETOOLONG)
        return name

    def find(self, name: bytes) -> Node | None:
        """
        Return the node of a name; ``None`` if there is none.

        Raises:
            Refusal: The guest may not know.
        """
        raise NotImplementedError  # abstract; see `Node`

    def listing(self, volume: Volume) -> Listing:
        """
        Return its names as they are now.

        Raises:
            Refusal: The guest may not know.
        """
        raise NotImplementedError  # abstract; see `Node`

    def create(self, name: bytes, request: OpenRequest) -> Descriptor:
        """
        Create a file and open it.

        Raises:
            Refusal: EROFS, or another errno of ``path_open``.
        """
        raise Refusal(EROFS)

    def put(self, name: bytes, node: Node) -> None:
        """
        Give `node` a name in this directory, replacing any node of that name.

        Raises:
            Refusal: EROFS.
        """
        raise Refusal(EROFS)

    def drop(self, name: bytes) -> None:
        """
        Remove a name.

        Raises:
            Refusal: EROFS.
        """
        raise Refusal(EROFS)

    def open(self, request: OpenRequest) -> OpenFolder:
        """
        See `Node.open`.

        Raises:
            Refusal: EEXIST; EISDIR, it is to be written, created or truncated.
        """
        request.check_existing()
        if request.writes or request.creates or request.truncates:
            raise Refusal(EISDIR)
        base = request.base
        # As for files: toolchains request fewer rights than they use.
        return OpenFolder(base.volume, self, rights=FOLDER_RIGHTS & base.rights, inheriting=base.inheriting)

    def unlink(self, volume: Volume, folder: Directory, name: bytes) -> None:
        """
        See `Node.unlink`.

        Raises:
            Refusal: EISDIR.
        """
        raise Refusal(EISDIR)


class OpenNode(Descriptor):
    """
    The descriptor of a node.

    Attributes:
        node: The node.
        volume: The node's volume.
    """

    __slots__ = ("node", "volume")

    node: Node
    volume: Volume

    def sync(self) -> None:
        """
        Wait until what was written is where it belongs. For files in memory, it always is.

        Raises:
            Refusal: It can't be brought there.
        """


class OpenFolder(OpenNode):
    """
    An open directory.

    Attributes:
        node: The directory.
        name: The guest's path of a preopened directory; else None.
        listing: The names that ``fd_readdir`` lists, as of its last call with cookie 0.
    """

    __slots__ = ("listing", "name")

    filetype = FILETYPE_DIRECTORY
    node: Directory

    def __init__(
        self, volume: Volume, node: Directory, *, rights: int, inheriting: int, name: bytes | None = None
    ) -> None:
        self.volume = volume
        self.node = node
        self.name = name
        self.listing: Listing | None = None
        self.rights = rights
        self.inheriting = inheriting
        self.flags = 0
