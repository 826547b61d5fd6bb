"""What the files of one mount, or of one invocation, take together: a volume and its limit."""

from __future__ import annotations

from collections.abc import Callable
from weakref import WeakKeyDictionary

from wasm_grpc.hosts.wasi.abi import ENOSPC
from wasm_grpc.hosts.wasi.refusal import Refusal

__all__ = ["NAME_BYTES", "NODE_BYTES", "Listing", "Volume"]

NODE_BYTES = 320
"""What a node costs in its volume, besides contents and names: about what Python allocates for it."""
NAME_BYTES = 192
"""What a name costs in its volume, besides its own bytes: about what Python allocates for a dict entry."""
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
        is_writable: Whether names and times may change. False for a read-only mount, which all invocations
            share, and for the files that stand for Dapr.
        room_bytes: How many bytes may still be added.
    """

    __slots__ = ("_inode", "_listings", "_listings_bytes", "_on_full", "device", "is_writable", "room_bytes")

    def __init__(
        self,
        device: int,
        *,
        is_writable: bool,
        room_bytes: int = 0,
        on_full: Callable[[], None] | None = None,
    ) -> None:
        """
        Begin without a node.

        Args:
            device: See the attribute.
            is_writable: See the attribute.
            room_bytes: See the attribute.
            on_full: Called once, when something does not fit for the first time.
        """
        self._on_full = on_full
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
            on_full, self._on_full = self._on_full, None
            if on_full is not None:
                on_full()
            raise Refusal(ENOSPC)
        self.room_bytes -= size
