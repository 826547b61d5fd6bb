"""``fd_*`` for files and directories only: position, size, sync and listing."""

from __future__ import annotations

from typing import Final

from wasm_grpc.hosts.wasi.abi import (
    ADVICES,
    DIRENT,
    EBADF,
    EINVAL,
    ENOTCAPABLE,
    ENOTDIR,
    RIGHT_FD_ADVISE,
    RIGHT_FD_ALLOCATE,
    RIGHT_FD_DATASYNC,
    RIGHT_FD_FILESTAT_SET_SIZE,
    RIGHT_FD_READDIR,
    RIGHT_FD_SEEK,
    RIGHT_FD_SYNC,
    RIGHT_FD_TELL,
    RIGHT_FD_WRITE,
    SIZE,
    TIMESTAMP,
    U64_MAX,
    WHENCE_CUR,
    WHENCE_END,
    WHENCE_SET,
)
from wasm_grpc.hosts.wasi.calls import Refusal, declare, open_descriptor, region
from wasm_grpc.hosts.wasi.context import WasiContext
from wasm_grpc.hosts.wasi.nodes import OpenFolder, OpenNode
from wasm_grpc.hosts.wasi.opened import open_file
from wasm_grpc.hosts.wasi.regular import OpenRegular

__all__ = ["FUNCTIONS", "fd_seek"]

_OFFSET_LIMIT: Final = 1 << 63
"""Libcs treat offsets as signed 64-bit integers."""

_SELF_AND_ABOVE: Final = (b".", b"..")


def fd_seek(context: WasiContext, fd: int, delta: int, whence: int, offset_at: int) -> None:
    """
    Run WASI's ``fd_seek``.
    """
    # The right "fd_tell" is enough to ask for the position (the standard's text on rights).
    asks_only = whence == WHENCE_CUR and not delta
    file = open_file(context, fd, RIGHT_FD_SEEK | (RIGHT_FD_TELL if asks_only else 0))
    # `declare` passes unsigned numbers, but this one is signed.
    delta -= (delta >= _OFFSET_LIMIT) * (U64_MAX + 1)
    starts = {WHENCE_SET: 0, WHENCE_CUR: file.position, WHENCE_END: file.size}
    if whence not in starts:
        raise Refusal(EINVAL)
    offset = starts[whence] + delta
    if not 0 <= offset < _OFFSET_LIMIT:
        raise Refusal(EINVAL)
    TIMESTAMP.pack_into(context.memory(), offset_at, offset)
    file.position = offset


def _fd_tell(context: WasiContext, fd: int, offset_at: int) -> None:
    file = open_file(context, fd, RIGHT_FD_TELL)
    TIMESTAMP.pack_into(context.memory(), offset_at, file.position)


def _fd_advise(context: WasiContext, fd: int, offset: int, length: int, advice: int) -> None:
    open_file(context, fd, RIGHT_FD_ADVISE)
    if advice >= ADVICES or offset + length >= _OFFSET_LIMIT:
        raise Refusal(EINVAL)


def _fd_allocate(context: WasiContext, fd: int, offset: int, length: int) -> None:
    file = open_file(context, fd, RIGHT_FD_ALLOCATE)
    _check_writable(file)
    if not length or offset + length >= _OFFSET_LIMIT:
        raise Refusal(EINVAL)
    if offset + length > file.size:
        file.resize(offset + length)


def _fd_filestat_set_size(context: WasiContext, fd: int, size: int) -> None:
    file = open_file(context, fd, RIGHT_FD_FILESTAT_SET_SIZE, stream_errno=EINVAL)
    _check_writable(file)
    file.resize(size)


def _check_writable(file: OpenRegular) -> None:
    if not file.rights & RIGHT_FD_WRITE:
        raise Refusal(EBADF)


def _fd_sync(context: WasiContext, fd: int) -> None:
    _sync(context, fd, RIGHT_FD_SYNC)


def _fd_datasync(context: WasiContext, fd: int) -> None:
    _sync(context, fd, RIGHT_FD_DATASYNC)


def _sync(context: WasiContext, fd: int, right: int) -> None:
    descriptor = open_descriptor(context, fd)
    if not isinstance(descriptor, OpenNode):
        raise Refusal(EINVAL)
    if not descriptor.rights & right:
        raise Refusal(ENOTCAPABLE)
    descriptor.sync()


def _fd_readdir(context: WasiContext, fd: int, at: int, length: int, cookie: int, used_at: int) -> None:
    # A cookie is an index into the names as they were at cookie 0, so later changes don't shift it.
    opened = open_descriptor(context, fd)
    if not isinstance(opened, OpenFolder):
        raise Refusal(ENOTDIR)
    if not opened.rights & RIGHT_FD_READDIR:
        raise Refusal(EBADF)
    memory = context.memory()
    target = region(memory, at, length)
    region(memory, used_at, SIZE.size)
    if not cookie or opened.listing is None or opened.listing.names is None:
        opened.listing = opened.node.listing(opened.volume)
    names = opened.listing.names or ()
    used = 0
    while used < length and cookie < len(_SELF_AND_ABOVE) + len(names):
        above = cookie - len(_SELF_AND_ABOVE)
        name = names[above] if above >= 0 else _SELF_AND_ABOVE[cookie]
        cookie += 1
        node = opened.node if name in _SELF_AND_ABOVE else opened.node.find(name)
        if node is None:
            continue
        entry = DIRENT.pack(cookie, node.inode, len(name), node.filetype) + name
        # Cut an entry that doesn't fit: a full buffer tells the guest that there is more.
        piece = entry[: length - used]
        target[used : used + len(piece)] = piece
        used += len(piece)
    SIZE.pack_into(memory, used_at, used)


FUNCTIONS: Final = {
    "fd_advise": declare("iIIi", _fd_advise),
    "fd_allocate": declare("iII", _fd_allocate),
    "fd_datasync": declare("i", _fd_datasync),
    "fd_filestat_set_size": declare("iI", _fd_filestat_set_size),
    "fd_readdir": declare("iiiIi", _fd_readdir),
    "fd_seek": declare("iIii", fd_seek),
    "fd_sync": declare("i", _fd_sync),
    "fd_tell": declare("ii", _fd_tell),
}
