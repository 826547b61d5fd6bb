"""``fd_read`` and ``fd_write``, the hot path of every request, and ``fd_pread`` and ``fd_pwrite``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from wasm_grpc.hosts.wasi.abi import (
    EBADF,
    EFAULT,
    EINVAL,
    ENOTCAPABLE,
    RIGHT_FD_READ,
    RIGHT_FD_SEEK,
    RIGHT_FD_WRITE,
    SIZE,
    SUCCESS,
    U32_MAX,
    VECTOR,
)
from wasm_grpc.hosts.wasi.calls import Refusal, declare, declare_hot, region
from wasm_grpc.hosts.wasi.context import WasiContext
from wasm_grpc.hosts.wasi.opened import open_file

__all__ = ["FUNCTIONS"]

# Looked up once here, since these two run in every call of the hot path.
_unpack_vector = VECTOR.unpack_from
_pack_size = SIZE.pack_into


# `_fd_read` and `_fd_write` are written out for speed: they mask the signed arguments and check bounds
# themselves, and the usual single vector takes a short path.
def _fd_read(context: WasiContext, fd: int, vectors: int, count: int, read_at: int) -> int:
    descriptor = context.descriptors.get(fd & U32_MAX)
    if descriptor is None or not descriptor.rights & RIGHT_FD_READ:
        return EBADF
    memory = context.memory()
    size = len(memory)
    vectors &= U32_MAX
    count &= U32_MAX
    read_at &= U32_MAX
    if vectors + 8 * count > size or read_at + 4 > size:
        return EFAULT
    if count != 1:
        return _read_many(descriptor.read, memory, vectors, count, read_at)
    at, length = _unpack_vector(memory, vectors)
    if at + length > size:
        return EFAULT
    taken = 0
    if length:
        try:
            chunk = descriptor.read(length)
        except Refusal as refusal:
            return refusal.errno
        taken = len(chunk)
        memory[at : at + taken] = chunk
    _pack_size(memory, read_at, taken)
    return SUCCESS


def _fd_write(context: WasiContext, fd: int, vectors: int, count: int, written_at: int) -> int:
    descriptor = context.descriptors.get(fd & U32_MAX)
    if descriptor is None or not descriptor.rights & RIGHT_FD_WRITE:
        return EBADF
    memory = context.memory()
    size = len(memory)
    vectors &= U32_MAX
    count &= U32_MAX
    written_at &= U32_MAX
    if vectors + 8 * count > size or written_at + 4 > size:
        return EFAULT
    if count != 1:
        return _write_many(descriptor.write, memory, vectors, count, written_at)
    at, length = _unpack_vector(memory, vectors)
    end = at + length
    if end > size:
        return EFAULT
    if length:
        try:
            descriptor.write(memory[at:end])
        except Refusal as refusal:
            return refusal.errno
    _pack_size(memory, written_at, length)
    return SUCCESS


def _read_many(
    read: Callable[[int], bytes | memoryview], memory: memoryview, vectors: int, count: int, read_at: int
) -> int:
    # A copy, since the data read may overwrite the vectors themselves.
    listed = bytes(memory[vectors : vectors + 8 * count])
    total, errno = _total(listed, len(memory))
    if errno:
        return errno
    # One read for all vectors: a second one could block although there already is data to return.
    try:
        chunk = memoryview(read(total)) if total else memoryview(b"")
    except Refusal as refusal:
        return refusal.errno
    taken = 0
    for at, length in VECTOR.iter_unpack(listed):
        piece = chunk[taken : taken + length]
        memory[at : at + len(piece)] = piece
        taken += len(piece)
        if taken == len(chunk):
            break
    _pack_size(memory, read_at, taken)
    return SUCCESS


def _write_many(
    write: Callable[[memoryview], object], memory: memoryview, vectors: int, count: int, written_at: int
) -> int:
    listed = memory[vectors : vectors + 8 * count]
    _, errno = _total(listed, len(memory))
    if errno:
        return errno
    written = 0
    for at, length in VECTOR.iter_unpack(listed):
        if length:
            try:
                write(memory[at : at + length])
            except Refusal as refusal:
                # Report what was written so far. The next call gets the errno.
                if not written:
                    return refusal.errno
                break
            written += length
    _pack_size(memory, written_at, written)
    return SUCCESS


def _fd_pread(context: WasiContext, fd: int, vectors: int, count: int, offset: int, read_at: int) -> None:
    file = open_file(context, fd, RIGHT_FD_READ)
    if not file.rights & RIGHT_FD_SEEK:
        raise Refusal(ENOTCAPABLE)
    memory = _checked_memory(context, vectors, count, read_at)
    errno = _read_many(file.cursor(offset).read, memory, vectors, count, read_at)
    if errno:
        raise Refusal(errno)


def _fd_pwrite(context: WasiContext, fd: int, vectors: int, count: int, offset: int, written_at: int) -> None:
    file = open_file(context, fd, RIGHT_FD_WRITE)
    if not file.rights & RIGHT_FD_SEEK:
        raise Refusal(ENOTCAPABLE)
    memory = _checked_memory(context, vectors, count, written_at)
    errno = _write_many(file.cursor(offset).write, memory, vectors, count, written_at)
    if errno:
        raise Refusal(errno)


def _checked_memory(context: WasiContext, vectors: int, count: int, size_at: int) -> memoryview:
    memory = context.memory()
    region(memory, vectors, VECTOR.size * count)
    region(memory, size_at, SIZE.size)
    return memory


def _total(vectors: bytes | memoryview, size: int) -> tuple[int, int]:
    # Returns (bytes in all vectors, 0), or (0, errno) before any byte is copied.
    total = 0
    for at, length in VECTOR.iter_unpack(vectors):
        if at + length > size:
            return 0, EFAULT
        total += length
    return (0, EINVAL) if total > U32_MAX else (total, SUCCESS)


FUNCTIONS: Final = {
    "fd_pread": declare("iiiIi", _fd_pread),
    "fd_pwrite": declare("iiiIi", _fd_pwrite),
    "fd_read": declare_hot("iiii", _fd_read),
    "fd_write": declare_hot("iiii", _fd_write),
}
