"""
Use Linux's Landlock to take rights from this process for good.

Source: the kernel's ``Documentation/userspace-api/landlock.rst`` and ``include/uapi/linux/landlock.h``.
The C library has no wrapper for these system calls. Their numbers are the same on every architecture.
"""

from __future__ import annotations

import os
import stat
import struct
import sys
from collections.abc import Iterable

from wasm_grpc.core.libc import call_system

__all__ = ["give_up_files", "give_up_writing", "is_available"]

_CREATE_RULESET = 444
_ADD_RULE = 445
_RESTRICT_SELF = 446
_VERSION_FLAG = 1
_PATH_BENEATH = 1
_PATH_RULE = struct.Struct("<Qi")
"""``struct landlock_path_beneath_attr``: rights, and the descriptor of a file or folder."""

# Bits of ``LANDLOCK_ACCESS_FS_…``, ``LANDLOCK_ACCESS_NET_…`` and ``LANDLOCK_SCOPE_…``.
_EXECUTE = 1 << 0
_WRITE_FILE = 1 << 1
_READ_FILE = 1 << 2
_READ_DIR = 1 << 3
_REMOVE_AND_MAKE = sum(1 << bit for bit in range(4, 13))
_REFER = 1 << 13
_TRUNCATE = 1 << 14
_IOCTL_DEVICE = 1 << 15
_NET_TCP = 0b11
_SCOPE = 0b11


def is_available() -> bool:
    """
    Return whether the kernel has it. One before 5.13 has not, and a container may forbid it.
    """
    return _version() >= 1


def give_up_writing() -> None:
    """
    Forbid this process to write, create, remove or execute files, where the kernel has Landlock.

    Newer kernels also forbid TCP connections (6.7), and signals to other processes (6.12). Files that are
    open stay open, and other files can still be read.
    """
    _restrict(0, ())


def give_up_files(readable: Iterable[int]) -> None:
    """
    Forbid this process all that `give_up_writing` does, and to open files for reading.

    Args:
        readable: Descriptors of the files that it may go on to open, and of folders for all below them.
    """
    _restrict(_READ_FILE | _READ_DIR, readable)


def _restrict(reading: int, readable: Iterable[int]) -> None:
    """
    Enter a new domain. Without privileges, a process must first give up gaining any, as `confine` does.

    Raises:
        OSError: The kernel has Landlock and refuses all the same.
    """
    version = _version()
    if version < 1:
        return
    rules = _rules(version, reading)
    ruleset = call_system(_CREATE_RULESET, rules, len(rules), 0)
    try:
        for descriptor in readable:
            is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
            rule = _PATH_RULE.pack(reading if is_folder else _READ_FILE, descriptor)
            call_system(_ADD_RULE, ruleset, _PATH_BENEATH, rule, 0)
        call_system(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _version() -> int:
    if sys.platform != "linux":
        return 0
    try:
        return call_system(_CREATE_RULESET, None, 0, _VERSION_FLAG)
    except OSError:
        return 0


def _rules(version: int, reading: int) -> bytes:
    """
    Return a ``struct landlock_ruleset_attr`` for a version of Landlock, which refuses fields of later ones.
    """
    files = reading | _EXECUTE | _WRITE_FILE | _REMOVE_AND_MAKE
    files |= _REFER if version >= 2 else 0
    files |= _TRUNCATE if version >= 3 else 0
    files |= _IOCTL_DEVICE if version >= 5 else 0
    if version >= 6:
        return struct.pack("<QQQ", files, _NET_TCP, _SCOPE)
    if version >= 4:
        return struct.pack("<QQ", files, _NET_TCP)
    return struct.pack("<Q", files)
