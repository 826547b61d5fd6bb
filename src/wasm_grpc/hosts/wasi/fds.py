"""The other ``fd_*`` functions: what they answer for a stream."""

from __future__ import annotations

from typing import Final

from wasm_grpc.hosts.wasi.abi import (
    EBADF,
    EINVAL,
    ENOTCAPABLE,
    ENOTDIR,
    ESPIPE,
    FDFLAGS,
    FDSTAT,
    FILESTAT,
    RIGHT_FD_FDSTAT_SET_FLAGS,
    RIGHT_FD_FILESTAT_GET,
)
from wasm_grpc.hosts.wasi.calls import Refusal, declare, open_descriptor, refuse
from wasm_grpc.hosts.wasi.context import WasiContext

__all__ = ["FUNCTIONS"]


def _fd_close(context: WasiContext, fd: int) -> None:
    open_descriptor(context, fd)
    del context.descriptors[fd]


def _fd_renumber(context: WasiContext, fd: int, to: int) -> None:
    descriptor = open_descriptor(context, fd)
    open_descriptor(context, to)
    if fd != to:
        context.descriptors[to] = descriptor
        del context.descriptors[fd]


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
    # Told again, and nothing more: reading a stream blocks until there is something, even with NONBLOCK.
    descriptor.flags = flags


def _fd_fdstat_set_rights(context: WasiContext, fd: int, rights: int, inheriting: int) -> None:
    descriptor = open_descriptor(context, fd)
    if rights & ~descriptor.rights or inheriting & ~descriptor.inheriting:
        raise Refusal(ENOTCAPABLE)
    descriptor.rights = rights
    descriptor.inheriting = inheriting


def _fd_filestat_get(context: WasiContext, fd: int, stat_at: int) -> None:
    descriptor = open_descriptor(context, fd)
    if not descriptor.rights & RIGHT_FD_FILESTAT_GET:
        raise Refusal(ENOTCAPABLE)
    FILESTAT.pack_into(context.memory(), stat_at, 0, 0, descriptor.filetype, 0, 0, 0, 0, 0)


# The errno of each refusal is the one that POSIX has for a pipe.
FUNCTIONS: Final = {
    "fd_advise": declare("iIIi", refuse(ESPIPE)),
    "fd_allocate": declare("iII", refuse(ESPIPE)),
    "fd_close": declare("i", _fd_close),
    "fd_datasync": declare("i", refuse(EINVAL)),
    "fd_fdstat_get": declare("ii", _fd_fdstat_get),
    "fd_fdstat_set_flags": declare("ii", _fd_fdstat_set_flags),
    "fd_fdstat_set_rights": declare("iII", _fd_fdstat_set_rights),
    "fd_filestat_get": declare("ii", _fd_filestat_get),
    "fd_filestat_set_size": declare("iI", refuse(EINVAL)),
    "fd_filestat_set_times": declare("iIIi", refuse(ENOTCAPABLE)),
    "fd_pread": declare("iiiIi", refuse(ESPIPE)),
    # A libc asks for 3, 4, … until EBADF: nothing is opened ahead.
    "fd_prestat_dir_name": declare("iii", refuse(EBADF)),
    "fd_prestat_get": declare("ii", refuse(EBADF)),
    "fd_pwrite": declare("iiiIi", refuse(ESPIPE)),
    "fd_readdir": declare("iiiIi", refuse(ENOTDIR)),
    "fd_renumber": declare("ii", _fd_renumber),
    "fd_seek": declare("iIii", refuse(ESPIPE)),
    "fd_sync": declare("i", refuse(EINVAL)),
    "fd_tell": declare("ii", refuse(ESPIPE)),
}
