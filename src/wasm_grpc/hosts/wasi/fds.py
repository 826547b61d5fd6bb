"""``fd_*`` for every kind of descriptor: close, renumber, rights, flags and attributes."""

from __future__ import annotations

from typing import Final

from wasm_grpc.hosts.wasi.abi import (
    EBADF,
    EINVAL,
    ENAMETOOLONG,
    ENOTCAPABLE,
    FDFLAGS,
    FDSTAT,
    FILESTAT,
    PRESTAT,
    RIGHT_FD_FDSTAT_SET_FLAGS,
    RIGHT_FD_FILESTAT_GET,
    RIGHT_FD_FILESTAT_SET_TIMES,
)
from wasm_grpc.hosts.wasi.attributes import set_times
from wasm_grpc.hosts.wasi.calls import Refusal, declare, open_descriptor, region
from wasm_grpc.hosts.wasi.context import WasiContext
from wasm_grpc.hosts.wasi.nodes import Filestat, OpenFolder, OpenNode

__all__ = ["FUNCTIONS", "fd_filestat"]


def _fd_close(context: WasiContext, fd: int) -> None:
    descriptor = open_descriptor(context, fd)
    # First, since a failed close closes the descriptor too.
    del context.descriptors[fd]
    descriptor.close()


def _fd_renumber(context: WasiContext, fd: int, to: int) -> None:
    descriptor = open_descriptor(context, fd)
    replaced = open_descriptor(context, to)
    if fd != to:
        context.descriptors[to] = descriptor
        del context.descriptors[fd]
        # Last, since it may fail. The guest gets that errno, though the descriptor has its new number.
        replaced.close()


def _fd_fdstat_get(context: WasiContext, fd: int, stat_at: int) -> None:
    descriptor = open_descriptor(context, fd)
    FDSTAT.pack_into(
        context.memory(),
        stat_at,
        descriptor.filetype,
        descriptor.flags,
        descriptor.rights,
        descriptor.inheriting,
    )


def _fd_fdstat_set_flags(context: WasiContext, fd: int, flags: int) -> None:
    descriptor = open_descriptor(context, fd)
    if flags & ~FDFLAGS:
        raise Refusal(EINVAL)
    if not descriptor.rights & RIGHT_FD_FDSTAT_SET_FLAGS:
        raise Refusal(ENOTCAPABLE)
    descriptor.set_flags(flags)


def _fd_fdstat_set_rights(context: WasiContext, fd: int, rights: int, inheriting: int) -> None:
    descriptor = open_descriptor(context, fd)
    # Rights can only be dropped, never regained.
    if rights & ~descriptor.rights or inheriting & ~descriptor.inheriting:
        raise Refusal(ENOTCAPABLE)
    descriptor.rights = rights
    descriptor.inheriting = inheriting


def fd_filestat(context: WasiContext, fd: int) -> Filestat:
    """
    Return the attributes of a descriptor's file, directory or stream.

    Raises:
        Refusal: EBADF, ENOTCAPABLE.
    """
    descriptor = open_descriptor(context, fd)
    if not descriptor.rights & RIGHT_FD_FILESTAT_GET:
        raise Refusal(ENOTCAPABLE)
    if isinstance(descriptor, OpenNode):
        return descriptor.node.filestat(descriptor.volume)
    return 0, 0, descriptor.filetype, 0, 0, 0, 0, 0


def _fd_filestat_get(context: WasiContext, fd: int, stat_at: int) -> None:
    FILESTAT.pack_into(context.memory(), stat_at, *fd_filestat(context, fd))


def _fd_filestat_set_times(
    context: WasiContext, fd: int, accessed_ns: int, modified_ns: int, which: int
) -> None:
    descriptor = open_descriptor(context, fd)
    if not isinstance(descriptor, OpenNode):
        raise Refusal(ENOTCAPABLE)
    if not descriptor.rights & RIGHT_FD_FILESTAT_SET_TIMES:
        raise Refusal(ENOTCAPABLE)
    set_times(descriptor.volume, descriptor.node, accessed_ns, modified_ns, which)


def _fd_prestat_get(context: WasiContext, fd: int, prestat_at: int) -> None:
    PRESTAT.pack_into(context.memory(), prestat_at, 0, len(_preopen_name(context, fd)))


def _fd_prestat_dir_name(context: WasiContext, fd: int, at: int, length: int) -> None:
    name = _preopen_name(context, fd)
    if length < len(name):
        raise Refusal(ENAMETOOLONG)
    region(context.memory(), at, length)[: len(name)] = name


def _preopen_name(context: WasiContext, fd: int) -> bytes:
    descriptor = open_descriptor(context, fd)
    if not isinstance(descriptor, OpenFolder) or descriptor.name is None:
        # A libc enumerates preopens from 3 up until EBADF.
        raise Refusal(EBADF)
    return descriptor.name


FUNCTIONS: Final = {
    "fd_close": declare("i", _fd_close),
    "fd_fdstat_get": declare("ii", _fd_fdstat_get),
    "fd_fdstat_set_flags": declare("ii", _fd_fdstat_set_flags),
    "fd_fdstat_set_rights": declare("iII", _fd_fdstat_set_rights),
    "fd_filestat_get": declare("ii", _fd_filestat_get),
    "fd_filestat_set_times": declare("iIIi", _fd_filestat_set_times),
    "fd_prestat_dir_name": declare("iii", _fd_prestat_dir_name),
    "fd_prestat_get": declare("ii", _fd_prestat_get),
    "fd_renumber": declare("ii", _fd_renumber),
}
