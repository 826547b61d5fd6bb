"""Constants and layouts of WASI preview 1, from its witx files and wasi-libc's ``wasi/api.h``."""

from __future__ import annotations

import struct
from typing import Final

__all__ = [
    "ABSTIME",
    "ADVICES",
    "CLOCK_MONOTONIC",
    "CLOCK_PROCESS_CPUTIME",
    "CLOCK_REALTIME",
    "CLOCK_THREAD_CPUTIME",
    "DIRENT",
    "EACCES",
    "EBADF",
    "EEXIST",
    "EFAULT",
    "EFBIG",
    "EILSEQ",
    "EINVAL",
    "EIO",
    "EISDIR",
    "ELOOP",
    "EMFILE",
    "ENAMETOOLONG",
    "ENOENT",
    "ENOSPC",
    "ENOSYS",
    "ENOTCAPABLE",
    "ENOTDIR",
    "ENOTEMPTY",
    "ENOTSOCK",
    "ENOTSUP",
    "EPERM",
    "EROFS",
    "ESPIPE",
    "EVENT",
    "EVENT_CLOCK",
    "EVENT_FD_READ",
    "EVENT_FD_WRITE",
    "EXDEV",
    "FDFLAGS",
    "FDFLAG_APPEND",
    "FDSTAT",
    "FILESTAT",
    "FILESTAT_UNSTABLE",
    "FILETYPE_DIRECTORY",
    "FILETYPE_REGULAR_FILE",
    "FILETYPE_SYMBOLIC_LINK",
    "FILETYPE_UNKNOWN",
    "FILE_RIGHTS",
    "FOLDER_RIGHTS",
    "FSTFLAG_ATIM",
    "FSTFLAG_ATIM_NOW",
    "FSTFLAG_MTIM",
    "FSTFLAG_MTIM_NOW",
    "LOOKUP_SYMLINK_FOLLOW",
    "OFLAG_CREAT",
    "OFLAG_DIRECTORY",
    "OFLAG_EXCL",
    "OFLAG_TRUNC",
    "PRESTAT",
    "RIGHT_FD_ADVISE",
    "RIGHT_FD_ALLOCATE",
    "RIGHT_FD_DATASYNC",
    "RIGHT_FD_FDSTAT_SET_FLAGS",
    "RIGHT_FD_FILESTAT_GET",
    "RIGHT_FD_FILESTAT_SET_SIZE",
    "RIGHT_FD_FILESTAT_SET_TIMES",
    "RIGHT_FD_READ",
    "RIGHT_FD_READDIR",
    "RIGHT_FD_SEEK",
    "RIGHT_FD_SYNC",
    "RIGHT_FD_TELL",
    "RIGHT_FD_WRITE",
    "RIGHT_PATH_CREATE_DIRECTORY",
    "RIGHT_PATH_CREATE_FILE",
    "RIGHT_PATH_FILESTAT_GET",
    "RIGHT_PATH_FILESTAT_SET_SIZE",
    "RIGHT_PATH_FILESTAT_SET_TIMES",
    "RIGHT_PATH_LINK_SOURCE",
    "RIGHT_PATH_LINK_TARGET",
    "RIGHT_PATH_OPEN",
    "RIGHT_PATH_READLINK",
    "RIGHT_PATH_REMOVE_DIRECTORY",
    "RIGHT_PATH_RENAME_SOURCE",
    "RIGHT_PATH_RENAME_TARGET",
    "RIGHT_PATH_SYMLINK",
    "RIGHT_PATH_UNLINK_FILE",
    "RIGHT_POLL_FD_READWRITE",
    "SIZE",
    "SUBSCRIPTION",
    "SUBSCRIPTION_UNSTABLE",
    "SUCCESS",
    "TIMESTAMP",
    "U32_MAX",
    "U64_MAX",
    "VECTOR",
    "WHENCE_CUR",
    "WHENCE_END",
    "WHENCE_SET",
]

U32_MAX: Final = 0xFFFF_FFFF
U64_MAX: Final = 0xFFFF_FFFF_FFFF_FFFF

# errno
SUCCESS: Final = 0
EACCES: Final = 2
EAGAIN: Final = 6
EBADF: Final = 8
EEXIST: Final = 20
EFAULT: Final = 21
EFBIG: Final = 22
EILSEQ: Final = 25
EINVAL: Final = 28
EIO: Final = 29
EISDIR: Final = 31
ELOOP: Final = 32
EMFILE: Final = 33
ENAMETOOLONG: Final = 37
ENOENT: Final = 44
ENOSPC: Final = 51
ENOSYS: Final = 52
ENOTDIR: Final = 54
ENOTEMPTY: Final = 55
ENOTSOCK: Final = 57
ENOTSUP: Final = 58
EPERM: Final = 63
EROFS: Final = 69
ESPIPE: Final = 70
EXDEV: Final = 75
ENOTCAPABLE: Final = 76

# clockid
CLOCK_REALTIME: Final = 0
CLOCK_MONOTONIC: Final = 1
CLOCK_PROCESS_CPUTIME: Final = 2
CLOCK_THREAD_CPUTIME: Final = 3

# filetype. There is none for pipes, and "character device" would make a libc flush every line.
FILETYPE_UNKNOWN: Final = 0
FILETYPE_DIRECTORY: Final = 3
FILETYPE_REGULAR_FILE: Final = 4
FILETYPE_SYMBOLIC_LINK: Final = 7

# rights
RIGHT_FD_DATASYNC: Final = 1 << 0
RIGHT_FD_READ: Final = 1 << 1
RIGHT_FD_SEEK: Final = 1 << 2
RIGHT_FD_FDSTAT_SET_FLAGS: Final = 1 << 3
RIGHT_FD_SYNC: Final = 1 << 4
RIGHT_FD_TELL: Final = 1 << 5
RIGHT_FD_WRITE: Final = 1 << 6
RIGHT_FD_ADVISE: Final = 1 << 7
RIGHT_FD_ALLOCATE: Final = 1 << 8
RIGHT_PATH_CREATE_DIRECTORY: Final = 1 << 9
RIGHT_PATH_CREATE_FILE: Final = 1 << 10
RIGHT_PATH_LINK_SOURCE: Final = 1 << 11
RIGHT_PATH_LINK_TARGET: Final = 1 << 12
RIGHT_PATH_OPEN: Final = 1 << 13
RIGHT_FD_READDIR: Final = 1 << 14
RIGHT_PATH_READLINK: Final = 1 << 15
RIGHT_PATH_RENAME_SOURCE: Final = 1 << 16
RIGHT_PATH_RENAME_TARGET: Final = 1 << 17
RIGHT_PATH_FILESTAT_GET: Final = 1 << 18
RIGHT_PATH_FILESTAT_SET_SIZE: Final = 1 << 19
RIGHT_PATH_FILESTAT_SET_TIMES: Final = 1 << 20
RIGHT_FD_FILESTAT_GET: Final = 1 << 21
RIGHT_FD_FILESTAT_SET_SIZE: Final = 1 << 22
RIGHT_FD_FILESTAT_SET_TIMES: Final = 1 << 23
RIGHT_PATH_SYMLINK: Final = 1 << 24
RIGHT_PATH_REMOVE_DIRECTORY: Final = 1 << 25
RIGHT_PATH_UNLINK_FILE: Final = 1 << 26
RIGHT_POLL_FD_READWRITE: Final = 1 << 27

FILE_RIGHTS: Final = 0x8E0_01FF
"""All rights of a regular file: every ``fd_`` right but ``fd_readdir``, and ``poll_fd_readwrite``."""

FOLDER_RIGHTS: Final = 0x7BF_FE19
"""All rights of a directory: every ``path_`` right, ``fd_readdir``, its attributes, flags and sync."""

# fdflags: append, dsync, nonblock, rsync, sync
FDFLAGS: Final = 0b11111
FDFLAG_APPEND: Final = 1
FDFLAG_NONBLOCK: Final = 4

# lookupflags, oflags, fstflags, whence, advice
LOOKUP_SYMLINK_FOLLOW: Final = 1
OFLAG_CREAT: Final = 1
OFLAG_DIRECTORY: Final = 2
OFLAG_EXCL: Final = 4
OFLAG_TRUNC: Final = 8
FSTFLAG_ATIM: Final = 1
FSTFLAG_ATIM_NOW: Final = 2
FSTFLAG_MTIM: Final = 4
FSTFLAG_MTIM_NOW: Final = 8
WHENCE_SET: Final = 0
WHENCE_CUR: Final = 1
WHENCE_END: Final = 2
ADVICES: Final = 6
"""Number of kinds of advice."""

# eventtype and subclockflags
EVENT_CLOCK: Final = 0
EVENT_FD_READ: Final = 1
EVENT_FD_WRITE: Final = 2
EVENT_HANGUP: Final = 1
"""A flag of ``eventrwflags``: the peer has closed its end."""
ABSTIME: Final = 1

SIZE: Final = struct.Struct("<I")
TIMESTAMP: Final = struct.Struct("<Q")

VECTOR: Final = struct.Struct("<II")
"""iovec and ciovec: address, length."""

FDSTAT: Final = struct.Struct("<BxHxxxxQQ")
"""fdstat: file type, flags, rights, inheriting rights."""

FILESTAT: Final = struct.Struct("<QQB7xQQQQQ")
"""filestat: device, inode, file type, links, size, times of access, change of contents, of status."""

FILESTAT_UNSTABLE: Final = struct.Struct("<QQB3xIQQQQ")
"""filestat of ``wasi_unstable``: the same, with 32 bits for the links."""

SUBSCRIPTION: Final = struct.Struct("<QB7x32s")
"""subscription: user data, event type, the clock or descriptor."""

SUBSCRIPTION_UNSTABLE: Final = struct.Struct("<QB7x40s")
"""subscription of ``wasi_unstable``: the same, but a clock has an identifier in front."""

EVENT: Final = struct.Struct("<QHB5xQH6x")
"""event: user data, errno, event type, bytes ready, flags."""

DIRENT: Final = struct.Struct("<QQIB3x")
"""dirent: cookie of the next, inode, length of the name, file type; the name follows."""

PRESTAT: Final = struct.Struct("<B3xI")
"""prestat: 0 for a directory, the length of its name."""
