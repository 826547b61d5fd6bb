"""A tree of folders, files and links in memory."""

from __future__ import annotations

import time

from wasm_grpc.hosts.wasi.abi import ELOOP, ENOENT, EROFS, FILETYPE_SYMBOLIC_LINK
from wasm_grpc.hosts.wasi.descriptors import Descriptor
from wasm_grpc.hosts.wasi.nodes import Directory, Node, OpenRequest
from wasm_grpc.hosts.wasi.refusal import Refusal
from wasm_grpc.hosts.wasi.regular import File
from wasm_grpc.hosts.wasi.volume import NODE_BYTES, Listing, Volume

__all__ = ["Folder", "Link"]

_SPARSE = 4
"""If fewer than 1 in 4 of a folder's peak number of names remain, rebuild its dict: dicts never shrink."""
_SMALL = 64


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

    def open(self, request: OpenRequest) -> Descriptor:
        """
        See `Node.open`. It is opened only where the guest asked not to follow links, or where they loop.

        Raises:
            Refusal: EEXIST, ENOTDIR, ELOOP.
        """
        request.check_existing()
        request.check_file()
        raise Refusal(ELOOP)


class Folder(Directory):
    """
    A directory in memory.

    Attributes:
        entries: Its nodes by name.
    """

    __slots__ = ("_listing", "_most", "entries")

    def __init__(self, volume: Volume, modified_ns: int | None = None) -> None:
        super().__init__(volume, modified_ns)
        self.entries: dict[bytes, Node] = {}
        self._listing: Listing | None = None
        self._most = 0

    @property
    def is_empty(self) -> bool:
        """
        See `Directory.is_empty`.
        """
        return not self.entries

    def find(self, name: bytes) -> Node | None:
        """
        See `Directory.find`.
        """
        return self.entries.get(name)

    def create(self, name: bytes, request: OpenRequest) -> Descriptor:
        """
        See `Directory.create`.

        Raises:
            Refusal: EROFS; ENOENT, the directory was removed while it was open; ENOSPC.
        """
        volume = request.base.volume
        if not volume.is_writable:
            raise Refusal(EROFS)
        if not self.links:
            raise Refusal(ENOENT)
        volume.take_name(name, for_node=NODE_BYTES)
        file = File(volume)
        self.put(name, file)
        return file.open_anew(request)

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
        See `Directory.listing`. The listing is cached until the names change.
        """
        if self._listing is None or self._listing.names is None:
            self._listing = volume.keep(tuple(self.entries))
        return self._listing

    def put(self, name: bytes, node: Node) -> None:
        """
        See `Directory.put`.
        """
        self.entries[name] = node
        self._most = max(self._most, len(self.entries))
        self._changed()

    def drop(self, name: bytes) -> None:
        """
        See `Directory.drop`.
        """
        del self.entries[name]
        if self._most > _SMALL and len(self.entries) * _SPARSE < self._most:
            self.entries = dict(self.entries.items())
            self._most = len(self.entries)
        self._changed()

    def _changed(self) -> None:
        self._listing = None
        self.modified_ns = self.changed_ns = time.time_ns()
