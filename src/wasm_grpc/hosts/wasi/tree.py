"""The files that a guest sees: nodes in memory, and volumes that limit their size."""

from __future__ import annotations

import time
from weakref import WeakKeyDictionary

from wasm_grpc.hosts.wasi.abi import (
    ENOSPC,
    FILETYPE_DIRECTORY,
    FILETYPE_REGULAR_FILE,
    FILETYPE_SYMBOLIC_LINK,
)
from wasm_grpc.hosts.wasi.refusal import Refusal

__all__ = ["NAME_BYTES", "NODE_BYTES", "File", "Folder", "Link", "Listing", "Node", "Volume"]

NODE_BYTES = 320
"""What a node costs in its volume, besides contents and names: about what Python allocates for it."""
NAME_BYTES = 192
"""What a name costs in its volume, besides its own bytes: about what Python allocates for a dict entry."""
_SPARSE = 4
"""If fewer than 1 in 4 of a folder's peak number of names remain, rebuild its dict: dicts never shrink."""
_SMALL = 64
_LISTED_BYTES = 48
"""What each name of a listing costs, besides its own bytes, once the folder no longer has it."""
_LISTED_SHARE = 2
"""Listings may hold 1 in 2 bytes of a volume's room. A listing of everything that fits takes less."""


class Listing:
    """
    The names of a folder as they were once.

    Attributes:
        names: In order; ``None`` once the listing was discarded to make room for others.
    """

    __slots__ = ("__weakref__", "names")

    def __init__(self, names: tuple[bytes, ...]) -> None:
        self.names: tuple[bytes, ...] | None = names


class Volume:
    """
    The nodes of one mount together: their inodes and their size.

    Attributes:
        device: The device number in ``filestat``.
        is_writable: False for a read-only mount, which all invocations share.
        room_bytes: How many bytes may still be added.
    """

    __slots__ = ("_inode", "_listings", "_listings_bytes", "device", "is_writable", "room_bytes")

    def __init__(self, device: int, *, is_writable: bool, room_bytes: int = 0) -> None:
        self.device = device
        self.is_writable = is_writable
        self.room_bytes = room_bytes
        self._inode = 0
        # Of few invocations, and each has a volume.
        self._listings: WeakKeyDictionary[Listing, int] | None = None
        self._listings_bytes = room_bytes // _LISTED_SHARE

    def next_inode(self) -> int:
        """
        Return the inode of a new node.
        """
        self._inode += 1
        return self._inode

    def take_name(self, name: bytes, *, for_node: int = 0) -> None:
        """
        Charge for a name, and for a new node of `for_node` bytes.

        Raises:
            Refusal: ENOSPC.
        """
        self.take(NAME_BYTES + len(name) + for_node)

    def give_back_name(self, name: bytes) -> None:
        """
        Refund a name.
        """
        self.take(-NAME_BYTES - len(name))

    def keep(self, names: tuple[bytes, ...]) -> Listing:
        """
        Return a listing of names. It lives as long as somebody holds it and there is room for it.

        A guest may hold many listings of one folder, each with names that are gone from the folder. If they
        take too much, the oldest are discarded, and whoever reads on in one continues with the current names.
        """
        listing = Listing(names)
        if self.is_writable:
            if self._listings is None:
                self._listings = WeakKeyDictionary()
            self._listings[listing] = sum(map(len, names)) + _LISTED_BYTES * len(names)
            surplus = sum(self._listings.values()) - self._listings_bytes
            for other, size in list(self._listings.items()):
                if surplus <= 0 or other is listing:
                    break
                other.names = None
                del self._listings[other]
                surplus -= size
        return listing

    def take(self, size: int) -> None:
        """
        Charge for `size` bytes, or refund them if `size` is negative.

        Raises:
            Refusal: ENOSPC, they don't fit.
        """
        if size > self.room_bytes:
            raise Refusal(ENOSPC)
        self.room_bytes -= size


class Node:
    """
    A file, folder or link.

    Attributes:
        inode: Unique in its volume.
        links: Number of names.
        accessed_ns, modified_ns, changed_ns: Times, in nanoseconds since 1970.
    """

    __slots__ = ("accessed_ns", "changed_ns", "inode", "links", "modified_ns")

    filetype = 0

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

    def copy(self, volume: Volume) -> Node:
        """
        Return a copy for another volume. Contents are shared until a write.
        """
        raise NotImplementedError


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

    def release(self, volume: Volume) -> None:
        """
        Refund its size and drop its contents, once it has neither a name nor a descriptor.
        """
        if volume.is_writable and not self.links and not self.opened:
            volume.take(-NODE_BYTES - len(self.content))
            self.content = b""


class Link(Node):
    """
    A symbolic link.
    """

    __slots__ = ("target",)

    filetype = FILETYPE_SYMBOLIC_LINK

    def __init__(self, volume: Volume, target: bytes, modified_ns: int | None = None) -> None:
        super().__init__(volume, modified_ns)
        self.target = target

    @property
    def size(self) -> int:
        """
        See `Node.size`.
        """
        return len(self.target)

    def copy(self, volume: Volume) -> Link:
        """
        See `Node.copy`.
        """
        return Link(volume, self.target, self.modified_ns)


class Folder(Node):
    """
    A directory.

    Attributes:
        entries: Its nodes by name.
    """

    __slots__ = ("_listing", "_most", "entries")

    filetype = FILETYPE_DIRECTORY

    def __init__(self, volume: Volume, modified_ns: int | None = None) -> None:
        super().__init__(volume, modified_ns)
        self.entries: dict[bytes, Node] = {}
        self._listing: Listing | None = None
        self._most = 0

    def copy(self, volume: Volume) -> Folder:
        """
        See `Node.copy`.
        """
        twin = Folder(volume, self.modified_ns)
        twin._most = len(self.entries)
        twin.entries = {name: node.copy(volume) for name, node in self.entries.items()}
        return twin

    def listing(self, volume: Volume) -> Listing:
        """
        Return its names as they are now. The listing is cached until they change.
        """
        if self._listing is None or self._listing.names is None:
            self._listing = volume.keep(tuple(self.entries))
        return self._listing

    def put(self, name: bytes, node: Node) -> None:
        """
        Give `node` a name in this folder, replacing any node of that name.
        """
        self.entries[name] = node
        self._most = max(self._most, len(self.entries))
        self._changed()

    def drop(self, name: bytes) -> None:
        """
        Remove a name.
        """
        del self.entries[name]
        if self._most > _SMALL and len(self.entries) * _SPARSE < self._most:
            self.entries = dict(self.entries.items())
            self._most = len(self.entries)
        self._changed()

    def _changed(self) -> None:
        self._listing = None
        self.modified_ns = self.changed_ns = time.time_ns()
