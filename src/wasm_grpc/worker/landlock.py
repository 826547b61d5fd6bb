"""
Linux's Landlock: a process gives up, for good, what no guest's worker needs.

Source: the kernel's ``Documentation/userspace-api/landlock.rst`` and ``include/uapi/linux/landlock.h``.
The calls have no wrapper in the C library; their numbers are the same on every architecture.
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

_EXECUTE = 1 << 0
_WRITE_FILE = 1 << 1
_REMOVE_AND_MAKE = sum(1 << bit for bit in range(4, 13))
_REFER = 1 << 13
_TRUNCATE = 1 << 14
_NET_TCP = 0b11
_SCOPE = 0b11


def give_up_writing() -> bool:
    """
    Refuse this process every file it would write, make, remove or execute.

    On newer kernels also every TCP connection, and every signal to a process outside.
    What is open stays open, and files may still be read.

    Returns:
        Whether the kernel took it: it is older than 5.13, or a container forbids it, where not.
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
    try:
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        return bool(libc.syscall(_RESTRICT_SELF, ruleset, 0) == 0)
    finally:
        os.close(ruleset)


def _rules(version: int) -> bytes:
    """
    Return ``struct landlock_ruleset_attr`` as this version of Landlock knows it.
    """
    files = _EXECUTE | _WRITE_FILE | _REMOVE_AND_MAKE
    files |= _REFER if version >= 2 else 0
    files |= _TRUNCATE if version >= 3 else 0
    if version >= 6:
        return struct.pack("<QQQ", files, _NET_TCP, _SCOPE)
    if version >= 4:
        return struct.pack("<QQ", files, _NET_TCP)
    return struct.pack("<Q", files)
