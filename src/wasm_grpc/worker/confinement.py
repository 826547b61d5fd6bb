"""Confine a worker or compile process, for good, before it handles an untrusted module."""

from __future__ import annotations

import os
import resource
import signal
import sys
from pathlib import Path

from wasm_grpc.core.libc import libc
from wasm_grpc.core.model import KIB
from wasm_grpc.core.secrecy import hide_memory
from wasm_grpc.worker import landlock

__all__ = [
    "STATUS",
    "confine",
    "end_with_parent",
    "limit_cpu",
    "limit_memory",
    "name_process",
    "writable_bytes",
]

STATUS = "/proc/self/status"
"""What `writable_bytes` reads."""

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_PR_SET_NO_NEW_PRIVS = 38
"""From <linux/prctl.h>."""
_OPEN_FILES = 256
"""Limit on open files, far above what a worker needs."""


def confine() -> None:
    """
    Apply the limits that hold from the start of the process, and of each that is forked from it.

    The process has a process group of its own: the server ends what it leaves there (see `pool/child.py`). It
    ignores the signals that ask a program to end, since the server handles them. If the server is killed, the
    kernel kills this process. If it crashes, it leaves no core file with a guest's secrets.
    """
    os.setpgid(0, 0)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    # The CPU limit of an invocation kills the process with SIGPROF, which a child may inherit as ignored.
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    end_with_parent()
    if sys.platform == "linux":
        # Landlock and seccomp ask this of whoever has no privileges: that it can gain none, by setuid say.
        libc().prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if not landlock.is_available():
        # Otherwise no worker can open the memory of another below /proc. It is not hidden for nothing: where
        # /proc is mounted with `hidepid`, the server could no longer see how much memory the process takes.
        hide_memory()
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_NOFILE, _OPEN_FILES)


def end_with_parent() -> None:
    """
    Have the kernel kill this process when its parent ends. A fork clears this, see prctl(2).
    """
    if sys.platform == "linux":
        libc().prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def name_process(job: str) -> None:
    """
    Name this process after its job, for whoever looks at ``ps -o comm`` or ``top``: "wasm-worker".
    """
    if sys.platform == "linux":
        libc().prctl(_PR_SET_NAME, f"wasm-{job}".encode(), 0, 0, 0)


def limit_memory(more_bytes: int) -> None:
    """
    Limit the writable memory of this process to what it has and so many bytes more.

    ``RLIMIT_DATA`` counts the pools that an engine reserves when it opens, although they are still empty. So
    the limit is set afterwards, on top of what is counted by then.
    Alternatives not taken: ``RLIMIT_AS``, because an instance reserves 6 GiB of address space, and
    ``RLIMIT_FSIZE`` against writing files, because Wasmtime keeps the initial content of a memory in an
    unnamed file.
    """
    _limit(resource.RLIMIT_DATA, writable_bytes() + more_bytes)


def limit_cpu(seconds: int) -> None:
    """
    Limit the CPU time of this process; a fork begins at 0.
    """
    _limit(resource.RLIMIT_CPU, seconds)


def writable_bytes() -> int:
    """
    Return the memory that ``RLIMIT_DATA`` counts, in bytes; 0 if this is not Linux.
    """
    try:
        lines = Path(STATUS).read_text("ascii").splitlines()
        return next(int(line.split()[1]) * KIB for line in lines if line.startswith("VmData:"))
    except (OSError, StopIteration):
        return 0


def _limit(which: int, value: int) -> None:
    _, hard = resource.getrlimit(which)
    # A process without privileges may lower its hard limit, but not raise it.
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(which, (value, value))
