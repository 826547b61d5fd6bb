"""``path_open``: open or create a file or directory."""

from __future__ import annotations

from typing import Final

from wasm_grpc.hosts.wasi.abi import (
    EINVAL,
    EISDIR,
    ENOTCAPABLE,
    FDFLAGS,
    OFLAG_CREAT,
    OFLAG_DIRECTORY,
    OFLAG_EXCL,
    OFLAG_TRUNC,
    RIGHT_PATH_OPEN,
    SIZE,
)
from wasm_grpc.hosts.wasi.calls import Refusal, declare, region
from wasm_grpc.hosts.wasi.context import WasiContext
from wasm_grpc.hosts.wasi.descriptors import Descriptor
from wasm_grpc.hosts.wasi.nodes import READ_WRITE, OpenRequest
from wasm_grpc.hosts.wasi.opened import open_folder
from wasm_grpc.hosts.wasi.paths import find
from wasm_grpc.hosts.wasi.walk import Place

__all__ = ["FUNCTIONS"]

_OFLAGS: Final = OFLAG_CREAT | OFLAG_DIRECTORY | OFLAG_EXCL | OFLAG_TRUNC


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
    if rights & READ_WRITE & ~base.inheriting:
        raise Refusal(ENOTCAPABLE)
    if oflags & OFLAG_EXCL and oflags & OFLAG_CREAT:
        # With both flags, a link as the last name is not followed (POSIX, open).
        lookup = 0
    place = find(context, base, at, length, lookup)
    # Also before: a file that gets no number must not be created, nor Dapr called for it.
    number = context.free_number()
    context.descriptors[number] = _open(place, OpenRequest(base, oflags, rights, inheriting, fdflags))
    SIZE.pack_into(context.memory(), opened_at, number)


def _open(place: Place, request: OpenRequest) -> Descriptor:
    if request.creates and place.wants_folder and place.name:
        # A trailing slash asks for a directory, but O_CREAT would create a file.
        raise Refusal(EISDIR)
    if place.node is None and request.creates:
        request.check_creation()
        return place.folder.create(place.name, request)
    return place.existing().open(request)


FUNCTIONS: Final = {"path_open": declare("iiiiiIIii", _path_open)}
