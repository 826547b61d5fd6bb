"""What the nodes below ``/dapr`` share: each is made when it is looked up, which calls nothing."""

from __future__ import annotations

from wasm_grpc.hosts.dapr.files import DaprFiles
from wasm_grpc.hosts.dapr.target import Target
from wasm_grpc.hosts.wasi.abi import EROFS, FILETYPE_REGULAR_FILE
from wasm_grpc.hosts.wasi.nodes import Node

__all__ = ["Entry", "identify"]


def identify(node: Node, inode: int) -> None:
    """
    Set a node's attributes in ``filestat``. It has no times.
    """
    node.inode = inode
    node.links = 1
    node.accessed_ns = node.modified_ns = node.changed_ns = 0


class Entry(Node):
    """
    A name in a component.

    To look it up calls nothing, so it may stand for nothing in Dapr. It takes no new name: that is EROFS, as
    for everything below ``/dapr``.
    """

    __slots__ = ("files", "target")

    filetype = FILETYPE_REGULAR_FILE
    taken_errno = EROFS

    def __init__(self, files: DaprFiles, target: Target) -> None:
        identify(self, target.inode)
        self.files = files
        self.target = target
