"""
Give up the privileges that this process has if root started it.

Source: capset(2) and ``include/uapi/linux/capability.h``.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
import sys
from collections.abc import Iterable, Iterator

from wasm_grpc.core.libc import libc

__all__ = ["drop_privileges", "open_readable"]

_VERSION_3 = 0x20080522
_HEADER = struct.Struct("@Ii")
"""Version, and a thread's id: 0 is this one."""
_SETS = struct.Struct("@6I")
"""Effective, permitted and inheritable capabilities, the lower 32 of each first."""
_READ_ANY_FILE = 1 << 2
"""``CAP_DAC_READ_SEARCH``."""


def drop_privileges(*, keeps_reading: bool = False) -> None:
    """
    Give up all capabilities of this process. Call it while the process has one thread.

    Args:
        keeps_reading: Keep the one that reads files of other users, where it has it.
    """
    permitted = _permitted() & _READ_ANY_FILE if keeps_reading else 0
    _set(permitted, permitted)


@contextlib.contextmanager
def open_readable(paths: Iterable[str]) -> Iterator[tuple[list[int], bool]]:
    """
    Open files for reading, and close them at the end. What can't be opened is left out.

    A server that runs as root may be granted files of other users, which only that privilege can read.

    Returns:
        The descriptors, and whether one of them needed a privilege.
    """
    permitted = _permitted()
    reader = permitted & _READ_ANY_FILE
    descriptors: list[int] = []
    needs_privilege = False
    if reader:
        _set(0, permitted)
    try:
        for path in paths:
            with contextlib.suppress(OSError):
                try:
                    descriptors.append(_open(path))
                except PermissionError:
                    if not reader:
                        raise
                    _set(reader, permitted)
                    needs_privilege = True
                    descriptors.append(_open(path))
        yield descriptors, needs_privilege
    finally:
        if reader:
            _set(permitted, permitted)
        for descriptor in descriptors:
            os.close(descriptor)


def _open(path: str) -> int:
    # O_NONBLOCK: opening a named pipe in the file's place would wait for a writer.
    return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)


def _permitted() -> int:
    if sys.platform != "linux":
        return 0
    sets = ctypes.create_string_buffer(_SETS.size)
    if libc().capget(_HEADER.pack(_VERSION_3, 0), sets):
        return 0
    _, low, _, _, high, _ = _SETS.unpack(sets.raw)
    return int(low) | int(high) << 32


def _set(effective: int, permitted: int) -> None:
    if sys.platform != "linux":
        return
    low, high = 0xFFFF_FFFF, 32
    sets = _SETS.pack(effective & low, permitted & low, 0, effective >> high, permitted >> high, 0)
    if libc().capset(_HEADER.pack(_VERSION_3, 0), sets):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
