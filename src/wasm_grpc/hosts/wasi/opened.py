"""The descriptors of files and directories by their number, with the rights that a call needs."""

from __future__ import annotations

from wasm_grpc.hosts.wasi.abi import (
    EBADF,
    ENOTCAPABLE,
    ENOTDIR,
    ESPIPE,
    RIGHT_FD_READ,
    RIGHT_FD_WRITE,
)
from wasm_grpc.hosts.wasi.calls import Refusal, open_descriptor
from wasm_grpc.hosts.wasi.context import WasiContext
from wasm_grpc.hosts.wasi.nodes import OpenFolder
from wasm_grpc.hosts.wasi.regular import OpenRegular

__all__ = ["open_file", "open_folder"]


def open_file(context: WasiContext, fd: int, right: int, *, stream_errno: int = ESPIPE) -> OpenRegular:
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
    if not isinstance(descriptor, OpenRegular):
        raise Refusal(stream_errno)
    if not descriptor.rights & right:
        raise Refusal(EBADF if right in (RIGHT_FD_READ, RIGHT_FD_WRITE) else ENOTCAPABLE)
    return descriptor


def open_folder(context: WasiContext, fd: int, right: int) -> OpenFolder:
    """
    Return the open directory of `fd`.

    Raises:
        Refusal: EBADF, it is not open; ENOTDIR; ENOTCAPABLE, it lacks the right.
    """
    opened = open_descriptor(context, fd)
    if not isinstance(opened, OpenFolder):
        raise Refusal(ENOTDIR)
    if not opened.rights & right:
        raise Refusal(ENOTCAPABLE)
    return opened
