"""
A process that is a child of the server: one that it spawned, or one that a template forked for it.

Theory of operation. A template that is killed while it forks leaves processes that the server has not been
told of, and the kernel makes them the server's children. They are found by their process group: each child
has a group of its own, and what it forks stays in that group until the server knows it. So once a child has
ended, the rest of its group is killed and reaped. A process that was taken over may leave its group, and is
found by `children` then. It may also join another group, and be reaped with that one.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
from typing import Protocol

from wasm_grpc.core.errors import ProtocolError

__all__ = ["Child", "ForkedChild", "SpawnedChild", "become_subreaper"]

_PR_SET_CHILD_SUBREAPER = 36
"""From <linux/prctl.h>."""
_REAP_S = 1.0
"""The longest wait for killed processes of a group; they take milliseconds."""
_REAP_PAUSE_S = 0.002
_LAST_PID = (1 << 22) - 1
"""From <linux/threads.h>, `PID_MAX_LIMIT`."""


class Child(Protocol):
    """
    A child of this process, which nobody else waits for.
    """

    @property
    def pid(self) -> int:
        """
        Its process id.
        """
        ...

    def kill(self) -> None:
        """
        Send SIGKILL; nothing happens where it has ended.
        """
        ...

    async def wait(self) -> int:
        """
        Wait until it ends, and return its exit code, minus the signal if it was killed. Call it once.
        """
        ...


class SpawnedChild:
    """
    A process that asyncio has started, and that makes a process group of its own.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """
        See `Child.pid`.
        """
        return self._process.pid

    def kill(self) -> None:
        """
        See `Child.kill`.
        """
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def wait(self) -> int:
        """
        See `Child.wait`.
        """
        code = await self._process.wait()
        _kill_group(self.pid)
        await _reap_group(self.pid)
        return code


class ForkedChild:
    """
    A process that a template has forked, and that the kernel has made a child of this one.

    It is held by a descriptor (see pidfd_open(2)), which the event loop can wait for without a thread.
    """

    def __init__(self, pid: int, *, template: int) -> None:
        """
        Take over a child.

        Args:
            pid: What its template says that it is.
            template: The template, in whose process group a new process is.

        Raises:
            ProcessLookupError: There is no such process.
            ProtocolError: It is no new process of this template.
            OSError: This process has no descriptor left.
        """
        if not 1 < pid <= _LAST_PID or os.getpgid(pid) != template or pid == template:
            raise ProtocolError(f"FORKED frame: pid: {pid}; expected a new process of the template")
        self._pid = pid
        # First, so that the end of its template no longer ends it.
        os.setpgid(pid, pid)
        self._descriptor = os.pidfd_open(pid)
        self._has_ended = False

    @property
    def pid(self) -> int:
        """
        See `Child.pid`.
        """
        return self._pid

    def kill(self) -> None:
        """
        See `Child.kill`.
        """
        if not self._has_ended:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._descriptor, signal.SIGKILL)

    async def wait(self) -> int:
        """
        See `Child.wait`.
        """
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        loop.add_reader(self._descriptor, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(self._descriptor)
        # Its id is its group's until it is reaped, so this can't kill another group.
        _kill_group(self._pid)
        code = -signal.SIGKILL
        # Else it had joined another's group, and was reaped with that.
        with contextlib.suppress(ChildProcessError):
            # It has ended, so this returns at once.
            _, status = os.waitpid(self._pid, 0)  # noqa: ASYNC222 - see above
            code = os.waitstatus_to_exitcode(status)
        self._has_ended = True
        os.close(self._descriptor)
        await _reap_group(self._pid)
        return code


def _kill_group(group: int) -> None:
    """
    Kill what a child has left in its process group.
    """
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


async def _reap_group(group: int) -> None:
    """
    Wait for the killed children of a process group; not for long, since a living process may have joined it.
    """
    loop = asyncio.get_running_loop()
    end_s = loop.time() + _REAP_S
    with contextlib.suppress(ChildProcessError):
        while loop.time() < end_s:
            pid, _ = os.waitpid(-group, os.WNOHANG)  # noqa: ASYNC222 - it returns at once
            if not pid:
                # One is still ending. It has no descriptor to wait for.
                await asyncio.sleep(_REAP_PAUSE_S)


def become_subreaper() -> None:
    """
    Have the kernel make orphans below this process its own children: the processes that templates fork.

    Raises:
        OSError: The kernel refuses, or is not Linux.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
