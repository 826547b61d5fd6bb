"""``path_open``: open or create a file or directory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from wasm_grpc.hosts.wasi.abi import (
    EEXIST,
    EINVAL,
    EISDIR,
    ELOOP,
    ENOENT,
    ENOTCAPABLE,
    ENOTDIR,
    EPERM,
    EROFS,
    FDFLAGS,
    FILE_RIGHTS,
    FOLDER_RIGHTS,
    OFLAG_CREAT,
    OFLAG_DIRECTORY,
    OFLAG_EXCL,
    OFLAG_TRUNC,
    RIGHT_FD_READ,
    RIGHT_FD_WRITE,
    RIGHT_PATH_CREATE_FILE,
    RIGHT_PATH_FILESTAT_SET_SIZE,
    RIGHT_PATH_OPEN,
    SIZE,
)
from wasm_grpc.hosts.wasi.calls import Refusal, declare, region
from wasm_grpc.hosts.wasi.context import WasiContext
from wasm_grpc.hosts.wasi.descriptors import Descriptor
from wasm_grpc.hosts.wasi.opened import OpenFile, OpenFolder
from wasm_grpc.hosts.wasi.paths import find, open_folder
from wasm_grpc.hosts.wasi.tree import NODE_BYTES, File, Folder, Link, Node
from wasm_grpc.hosts.wasi.walk import Place

__all__ = ["FUNCTIONS"]

_OFLAGS: Final = OFLAG_CREAT | OFLAG_DIRECTORY | OFLAG_EXCL | OFLAG_TRUNC
_READ_WRITE: Final = RIGHT_FD_READ | RIGHT_FD_WRITE


@dataclass(frozen=True, slots=True)
class _OpenRequest:
    """
    What the guest requests: ``oflags``, rights and ``fdflags``.
    """

    oflags: int
    rights: int
    inheriting: int
    fdflags: int


def _path_open(
    context: WasiContext,
    fd: int,
    lookup: int,
    at: int,
    length: int,
    oflags: int,
    rights: int,
    inheriting: int,
    fdflags: int,
    opened_at: int,
) -> None:
    base = open_folder(context, fd, RIGHT_PATH_OPEN)
    # Before anything is opened or created, so that a bad pointer has no effect.
    region(context.memory(), opened_at, SIZE.size)
    if oflags & ~_OFLAGS or fdflags & ~FDFLAGS:
        raise Refusal(EINVAL)
    if oflags & OFLAG_CREAT and oflags & OFLAG_DIRECTORY:
        raise Refusal(EINVAL)
    if rights & _READ_WRITE & ~base.inheriting:
        raise Refusal(ENOTCAPABLE)
    if oflags & OFLAG_EXCL and oflags & OFLAG_CREAT:
        # With both flags, a link as the last name is not followed (POSIX, open).
        lookup = 0
    place = find(context, base, at, length, lookup)
    descriptor = _open(base, place, _OpenRequest(oflags, rights, inheriting, fdflags))
    try:
        number = context.add(descriptor)
    except Refusal:
        descriptor.close()
        raise
    SIZE.pack_into(context.memory(), opened_at, number)


def _open(base: OpenFolder, place: Place, request: _OpenRequest) -> Descriptor:
    if request.oflags & OFLAG_CREAT and place.wants_folder and place.name:
        # A trailing slash asks for a directory, but O_CREAT would create a file.
        raise Refusal(EISDIR)
    node = (
        _create(base, place)
        if place.node is None and request.oflags & OFLAG_CREAT
        else _existing(place, request)
    )
    if isinstance(node, Folder):
        return _open_folder(base, node, request)
    if not isinstance(node, File):
        raise Refusal(ELOOP)
    if request.rights & RIGHT_FD_WRITE and not base.volume.is_writable:
        raise Refusal(EROFS)
    if request.oflags & OFLAG_TRUNC:
        _truncate(base, node)
    # Grant the other rights whether requested or not: toolchains request fewer rights than they use.
    rights = FILE_RIGHTS & base.inheriting & (request.rights | ~_READ_WRITE)
    return OpenFile(
        base.volume,
        node,
        rights=rights,
        inheriting=request.inheriting & FILE_RIGHTS & rights,
        flags=request.fdflags,
    )


def _existing(place: Place, request: _OpenRequest) -> Node:
    node = place.existing()
    if request.oflags & OFLAG_CREAT and request.oflags & OFLAG_EXCL:
        raise Refusal(EEXIST)
    if request.oflags & OFLAG_DIRECTORY and not isinstance(node, Folder):
        raise Refusal(ENOTDIR)
    if isinstance(node, Link):
        raise Refusal(ELOOP)
    return node


def _create(base: OpenFolder, place: Place) -> File:
    if not base.rights & RIGHT_PATH_CREATE_FILE:
        raise Refusal(ENOTCAPABLE)
    if not base.volume.is_writable:
        raise Refusal(EROFS)
    if not place.folder.links:
        # The folder was removed while it was open.
        raise Refusal(ENOENT)
    base.volume.take_name(place.name, for_node=NODE_BYTES)
    node = File(base.volume)
    place.folder.put(place.name, node)
    return node


def _open_folder(base: OpenFolder, node: Folder, request: _OpenRequest) -> OpenFolder:
    if request.rights & RIGHT_FD_WRITE or request.oflags & (OFLAG_CREAT | OFLAG_TRUNC):
        raise Refusal(EISDIR)
    # As for files: toolchains request fewer rights than they use.
    return OpenFolder(base.volume, node, rights=FOLDER_RIGHTS & base.rights, inheriting=base.inheriting)


def _truncate(base: OpenFolder, node: File) -> None:
    if not base.rights & RIGHT_PATH_FILESTAT_SET_SIZE:
        # EPERM is what the standard's own tests expect (truncation_rights).
        raise Refusal(EPERM)
    if not base.volume.is_writable:
        raise Refusal(EROFS)
    node.resize(base.volume, 0)


FUNCTIONS: Final = {"path_open": declare("iiiiiIIii", _path_open)}
