"""
The processes that this program has started, and those that workers have left behind.

Theory of operation. A worker that was taken over may start processes where the kernel lets it. When their
parent ends, the kernel makes them children of this program, which is a subreaper. What stays in the worker's
process group is ended with it (see `child`). What has left that group is found here: a child of this program
that it doesn't know, and that can't gain privileges, as no process can that comes from a worker.
A child that another part of this program has started can gain some, and is left alone, unless this program
can gain none either.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator

from wasm_grpc.core.model import KIB

__all__ = ["Children"]

_NO_NEW_PRIVILEGES = b"NoNewPrivs:\t1\n"


class Children:
    """
    The record of one program. Used on the event loop's thread only.
    """

    def __init__(self) -> None:
        """
        Know the processes that exist already.
        """
        self._others = frozenset(_children())
        self._known: set[int] = set()
        self._starting = 0

    @contextlib.contextmanager
    def starting(self) -> Iterator[None]:
        """
        Start a process inside, and `add` it. Until then nobody is taken for one that was left behind.
        """
        self._starting += 1
        try:
            yield
        finally:
            self._starting -= 1

    def add(self, pid: int) -> None:
        """
        Know a process until `remove`.
        """
        self._known.add(pid)

    def remove(self, pid: int) -> None:
        """
        Forget a process that was reaped.
        """
        self._known.discard(pid)

    def end_strays(self) -> int:
        """
        Kill and reap what workers have left behind; return how many processes there were.

        One that was killed just now is reaped the next time. While a process starts, nothing is done.
        """
        if self._starting:
            return 0
        strays = [pid for pid in _children() if pid not in self._known and pid not in self._others]
        return sum(map(_end, strays))


def _end(pid: int) -> bool:
    """
    Kill and reap a child, if it comes from a worker.
    """
    if _NO_NEW_PRIVILEGES not in _read(f"/proc/{pid}/status", 4 * KIB):
        return False
    # It is a child of this process that nobody else reaps, so its id is not used again before.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    return True


def _children() -> list[int]:
    """
    Return the ids of this process's children; none where the kernel doesn't tell.

    They are those of its first thread, which the event loop runs on and to which the kernel gives orphans.
    """
    pid = os.getpid()
    return list(map(int, _read(f"/proc/{pid}/task/{pid}/children", 64 * KIB).split()))


def _read(path: str, limit: int) -> bytes:
    """
    Return a file of ``/proc``, which the kernel answers from memory; empty if it is gone.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return b""
    try:
        return os.read(handle, limit)
    except OSError:
        return b""
    finally:
        os.close(handle)
