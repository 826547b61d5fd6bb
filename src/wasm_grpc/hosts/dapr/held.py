"""A value that an open file holds in memory."""

from __future__ import annotations

from wasm_grpc.hosts.wasi.regular import File
from wasm_grpc.hosts.wasi.volume import Volume

__all__ = ["HeldFile"]


class HeldFile(File):
    """
    A `File` of one descriptor. Who makes it has taken room for it in its volume; closing gives that back.
    """

    __slots__ = ()

    def __init__(self, volume: Volume, content: bytes, inode: int) -> None:
        super().__init__(volume, content)
        self.inode = inode

    def release(self, volume: Volume) -> None:
        """
        See `Node.release`.
        """
        if not self.opened:
            volume.take(-len(self.content))
            self.content = b""
