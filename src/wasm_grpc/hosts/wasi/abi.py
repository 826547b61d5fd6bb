"""Numbers and layouts of WASI preview 1, as its witx files and wasi-libc's ``wasi/api.h`` give them."""

from __future__ import annotations

import struct
from typing import Final

__all__ = [
    "ABSTIME",
    "CLOCK_MONOTONIC",
    "CLOCK_PROCESS_CPUTIME",
    "CLOCK_REALTIME",
    "CLOCK_THREAD_CPUTIME",
    "EBADF",
    "EFAULT",
    "EINVAL",
    "ENOSYS",
    "ENOTCAPABLE",
    "ENOTDIR",
    "ENOTSOCK",
    "ENOTSUP",
    "ESPIPE",
    "EVENT",
    "EVENT_CLOCK",
    "EVENT_FD_READ",
    "EVENT_FD_WRITE",
    "FDFLAGS",
    "FDSTAT",
    "FILESTAT",
    "FILETYPE_UNKNOWN",
    "RIGHT_FD_FDSTAT_SET_FLAGS",
    "RIGHT_FD_FILESTAT_GET",
    "RIGHT_FD_READ",
    "RIGHT_FD_WRITE",
    "RIGHT_POLL_FD_READWRITE",
    "SIZE",
    "SUBSCRIPTION",
    "SUCCESS",
    "TIMESTAMP",
    "U32_MAX",
    "U64_MAX",
    "VECTOR",
]

U32_MAX: Final = 0xFFFF_FFFF
U64_MAX: Final = 0xFFFF_FFFF_FFFF_FFFF

# errno
SUCCESS: Final = 0
EBADF: Final = 8
EFAULT: Final = 21
EINVAL: Final = 28
ENOSYS: Final = 52
ENOTDIR: Final = 54
ENOTSOCK: Final = 57
ENOTSUP: Final = 58
ESPIPE: Final = 70
ENOTCAPABLE: Final = 76

# clockid
CLOCK_REALTIME: Final = 0
CLOCK_MONOTONIC: Final = 1
CLOCK_PROCESS_CPUTIME: Final = 2
CLOCK_THREAD_CPUTIME: Final = 3

# filetype; a pipe has none of its own, and "character device" would make a libc flush every line.
FILETYPE_UNKNOWN: Final = 0

# rights
RIGHT_FD_READ: Final = 1 << 1
RIGHT_FD_FDSTAT_SET_FLAGS: Final = 1 << 3
RIGHT_FD_WRITE: Final = 1 << 6
RIGHT_FD_FILESTAT_GET: Final = 1 << 21
RIGHT_POLL_FD_READWRITE: Final = 1 << 27

# fdflags: append, dsync, nonblock, rsync, sync
FDFLAGS: Final = 0b11111

# eventtype and subclockflags
EVENT_CLOCK: Final = 0
EVENT_FD_READ: Final = 1
EVENT_FD_WRITE: Final = 2
ABSTIME: Final = 1

SIZE: Final = struct.Struct("<I")
TIMESTAMP: Final = struct.Struct("<Q")

VECTOR: Final = struct.Struct("<II")
"""iovec and ciovec: address, length."""

FDSTAT: Final = struct.Struct("<BxHxxxxQQ")
"""fdstat: file type, flags, rights, inheriting rights."""

FILESTAT: Final = struct.Struct("<QQB7xQQQQQ")
"""filestat: device, inode, file type, links, size, times of access, change of contents, of status."""

SUBSCRIPTION: Final = struct.Struct("<QB7x32s")
"""subscription: user data, event type, the clock or descriptor."""

EVENT: Final = struct.Struct("<QHB5xQH6x")
"""event: user data, errno, event type, bytes ready, flags."""
