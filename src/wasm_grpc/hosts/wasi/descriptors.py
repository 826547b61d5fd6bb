"""What a guest's file descriptor stands for, and those of streams."""

from __future__ import annotations

from collections.abc import Callable

from wasm_grpc.hosts.wasi.abi import (
    FILETYPE_UNKNOWN,
    RIGHT_FD_FDSTAT_SET_FLAGS,
    RIGHT_FD_FILESTAT_GET,
    RIGHT_FD_READ,
    RIGHT_FD_WRITE,
    RIGHT_POLL_FD_READWRITE,
)
from wasm_grpc.hosts.wasi.streams import Sink, Stdin

__all__ = ["Descriptor", "InputStream", "OutputStream"]

_STREAM_RIGHTS = RIGHT_FD_FDSTAT_SET_FLAGS | RIGHT_FD_FILESTAT_GET | RIGHT_POLL_FD_READWRITE
_INPUT_RIGHTS = _STREAM_RIGHTS | RIGHT_FD_READ
_OUTPUT_RIGHTS = _STREAM_RIGHTS | RIGHT_FD_WRITE


class Descriptor:
    """
    One open descriptor: its file type, rights and flags, and how to read or write it.

    `read` may be called only with ``RIGHT_FD_READ`` among the rights, `write` only with
    ``RIGHT_FD_WRITE``. Both are attributes and not methods, so that the hot path enters the
    stream's own function at once.

    Attributes:
        read: As `Stdin.read`.
        write: As `Sink.write`.
        rights: What the guest may still do with it; may shrink.
        inheriting: Rights of what is opened through it.
        flags: ``fdflags``, as last set.
    """

    __slots__ = ("flags", "inheriting", "read", "rights", "write")

    filetype = FILETYPE_UNKNOWN

    read: Callable[[int], bytes | memoryview]
    write: Callable[[memoryview], object]
    rights: int
    inheriting: int
    flags: int

    def close(self) -> None:
        """
        Let go of what it holds; called once.
        """

    def ready_bytes(self) -> int:
        """
        Give what ``poll_oneoff`` says can be read now; of a stream it knows no more than "some".
        """
        return 1


class InputStream(Descriptor):
    """
    Standard input, or what it was renumbered to.
    """

    __slots__ = ()

    def __init__(self, stdin: Stdin) -> None:
        self.rights = _INPUT_RIGHTS
        self.inheriting = self.flags = 0
        self.read = stdin.read


class OutputStream(Descriptor):
    """
    Standard output or error, or what they were renumbered to.
    """

    __slots__ = ()

    def __init__(self, sink: Sink) -> None:
        self.rights = _OUTPUT_RIGHTS
        self.inheriting = self.flags = 0
        self.write = sink.write
