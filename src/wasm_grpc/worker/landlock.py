"""
Use Linux's Landlock to take rights from this process for good.

Source: the kernel's ``Documentation/userspace-api/landlock.rst`` and ``include/uapi/linux/landlock.h``.
The C library has no wrapper for these system calls. Their numbers are the same on every architecture.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys

__all__ = ["give_up_writing"]

_CREATE_RULESET = 444
_RESTRICT_SELF = 446
_VERSION_FLAG = 1
_PR_SET_NO_NEW_PRIVS = 38
"""From <linux/prctl.h>."""

# Bits of ``LANDLOCK_ACCESS_FS_…``, ``LANDLOCK_ACCESS_NET_…`` and ``LANDLOCK_SCOPE_…``.
_EXECUTE = 1 << 0
_WRITE_FILE = 1 << 1
_REMOVE_AND_MAKE = sum(1 << bit for bit in range(4, 13))
_REFER = 1 << 13
_TRUNCATE = 1 << 14
_NET_TCP = 0b11
_SCOPE = 0b11


def give_up_writing() -> bool:
    """
    Forbid this process to write, create, remove or execute files.

    Newer kernels also forbid TCP connections (6.7), and signals to other processes (6.12). Files that are
    open stay open, and other files can still be read.

    Returns:
        Whether the kernel has applied this. A kernel before 5.13 can't, and a container may forbid it.
    """
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(_CREATE_RULESET, None, 0, _VERSION_FLAG)
    if version < 1:
        return False
    rules = _rules(version)
    ruleset = libc.syscall(_CREATE_RULESET, rules, len(rules), 0)
    if ruleset < 0:
        return False
    # No rule is added, so the ruleset allows nothing of what it handles.
    try:
        # A process without privileges must first give up gaining any, such as by a setuid program.
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        return bool(libc.syscall(_RESTRICT_SELF, ruleset, 0) == 0)
    finally:
        os.close(ruleset)


def _rules(version: int) -> bytes:
    """
    Return a ``struct landlock_ruleset_attr`` for a version of Landlock, which refuses fields of later ones.
    """
    files = _EXECUTE | _WRITE_FILE | _REMOVE_AND_MAKE
    files |= _REFER if version >= 2 else 0
    files |= _TRUNCATE if version >= 3 else 0
    if version >= 6:
        return struct.pack("<QQQ", files, _NET_TCP, _SCOPE)
    if version >= 4:
        return struct.pack("<QQ", files, _NET_TCP)
    return struct.pack("<Q", files)
