"""Open descriptors of a guest: their base class, and those of the standard streams."""

from __future__ import annotations

import functools
from collections.abc import Callable

from wasm_grpc.hosts.wasi.abi import (
    EAGAIN,
    FDFLAG_NONBLOCK,
    FILETYPE_UNKNOWN,
    RIGHT_FD_FDSTAT_SET_FLAGS,
    RIGHT_FD_FILESTAT_GET,
    RIGHT_FD_READ,
    RIGHT_FD_WRITE,
    RIGHT_POLL_FD_READWRITE,
)
from wasm_grpc.hosts.wasi.refusal import Refusal
from wasm_grpc.hosts.wasi.streams import Sink, Stdin

__all__ = ["Descriptor", "InputStream", "OutputStream"]

_STREAM_RIGHTS = RIGHT_FD_FDSTAT_SET_FLAGS | RIGHT_FD_FILESTAT_GET | RIGHT_POLL_FD_READWRITE
_INPUT_RIGHTS = _STREAM_RIGHTS | RIGHT_FD_READ
_OUTPUT_RIGHTS = _STREAM_RIGHTS | RIGHT_FD_WRITE


class Descriptor:
    """
    One open descriptor: its file type, rights and flags, and how to read or write it.

    `read` may be called only with ``RIGHT_FD_READ`` among the rights, `write` only with
    ``RIGHT_FD_WRITE``. Both are attributes and not methods, so that the hot path calls the
    stream's own function directly.

    Attributes:
        read: As `Stdin.read`.
        write: As `Sink.write`.
        rights: What the guest may do with it. It can only drop rights.
        inheriting: Rights of descriptors that are opened through it.
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
        Release its resources. Call it once.

        Raises:
            Refusal: What was written can't be brought where it belongs. It is closed all the same.
        """

    def finish(self) -> None:
        """
        Bring what was written where it belongs, as `close` would, once the guest has succeeded.

        Raises:
            GuestStop: It can't be brought there.
        """

    def set_flags(self, flags: int) -> None:
        """
        Set its ``fdflags``. The caller has checked them.
        """
        self.flags = flags

    def available(self) -> int | None:
        """
        Return how many bytes can be read now, 0 at the end; ``None`` if a read would block.
        """
        return 0

    def wait(self, timeout_ns: int | None) -> None:
        """
        Wait until a read would not block, at most `timeout_ns`. Return at once if reads never block.
        """


class InputStream(Descriptor):
    """
    Standard input, possibly renumbered.
    """

    __slots__ = ("_stdin",)

    def __init__(self, stdin: Stdin) -> None:
        self.rights = _INPUT_RIGHTS
        self.inheriting = self.flags = 0
        self._stdin = stdin
        self.read = stdin.read

    def available(self) -> int | None:
        """
        See `Descriptor.available`.
        """
        return self._stdin.available()

    def wait(self, timeout_ns: int | None) -> None:
        """
        See `Descriptor.wait`.
        """
        self._stdin.wait(timeout_ns)

    def set_flags(self, flags: int) -> None:
        """
        See `Descriptor.set_flags`. With ``NONBLOCK`` a read that would block fails with EAGAIN.
        """
        self.flags = flags
        stdin = self._stdin
        # Not a method of this object: a bound method would make a cycle, which would keep the body alive.
        self.read = functools.partial(_read_now, stdin) if flags & FDFLAG_NONBLOCK else stdin.read


class OutputStream(Descriptor):
    """
    Standard output or standard error, possibly renumbered.
    """

    __slots__ = ()

    def __init__(self, sink: Sink) -> None:
        self.rights = _OUTPUT_RIGHTS
        self.inheriting = self.flags = 0
        self.write = sink.write


def _read_now(stdin: Stdin, limit: int) -> bytes | memoryview:
    if stdin.available() is None:
        # Input arrives only while the guest waits, so a guest that polls must wait for a moment too.
        stdin.wait(0)
        if stdin.available() is None:
            raise Refusal(EAGAIN)
    return stdin.read(limit)
