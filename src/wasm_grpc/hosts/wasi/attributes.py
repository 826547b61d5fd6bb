"""Set the times in a node's ``filestat``."""

from __future__ import annotations

import time

from wasm_grpc.hosts.wasi.abi import (
    EINVAL,
    EROFS,
    FSTFLAG_ATIM,
    FSTFLAG_ATIM_NOW,
    FSTFLAG_MTIM,
    FSTFLAG_MTIM_NOW,
)
from wasm_grpc.hosts.wasi.nodes import Node
from wasm_grpc.hosts.wasi.refusal import Refusal
from wasm_grpc.hosts.wasi.volume import Volume

__all__ = ["set_times"]

_ALL = FSTFLAG_ATIM | FSTFLAG_ATIM_NOW | FSTFLAG_MTIM | FSTFLAG_MTIM_NOW


def set_times(volume: Volume, node: Node, accessed_ns: int, modified_ns: int, which: int) -> None:
    """
    Set a node's times.

    Args:
        volume: The node's volume.
        node: The node.
        accessed_ns: Time of access, in nanoseconds since 1970.
        modified_ns: Time of modification, in nanoseconds since 1970.
        which: ``fstflags``: which of the times to set, to the given value or to the current time.

    Raises:
        Refusal: EINVAL, the flags contradict each other; EROFS.
    """
    if which & ~_ALL or _are_both(which, FSTFLAG_ATIM, FSTFLAG_ATIM_NOW):
        raise Refusal(EINVAL)
    if _are_both(which, FSTFLAG_MTIM, FSTFLAG_MTIM_NOW):
        raise Refusal(EINVAL)
    if not volume.is_writable:
        raise Refusal(EROFS)
    now_ns = time.time_ns()
    if which & (FSTFLAG_ATIM | FSTFLAG_ATIM_NOW):
        node.accessed_ns = accessed_ns if which & FSTFLAG_ATIM else now_ns
    if which & (FSTFLAG_MTIM | FSTFLAG_MTIM_NOW):
        node.modified_ns = modified_ns if which & FSTFLAG_MTIM else now_ns
    node.changed_ns = now_ns


def _are_both(flags: int, one: int, other: int) -> bool:
    return bool(flags & one and flags & other)
