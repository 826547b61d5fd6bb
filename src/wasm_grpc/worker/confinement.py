"""What a worker or compile process takes from itself before it touches a module."""

from __future__ import annotations

import ctypes
import resource
import signal
import sys
from pathlib import Path

from wasm_grpc.core.model import KIB
from wasm_grpc.worker.landlock import give_up_writing

__all__ = ["confine", "sandbox", "writable_bytes"]

_PR_SET_PDEATHSIG = 1
"""From <linux/prctl.h>."""
_OPEN_FILES = 256


def confine(*, cpu_s: int | None = None) -> None:
    """
    Return up, for good, what running a guest doesn't need.

    Signals that reach the whole process group are left to the server. When the server is killed
    this process is killed too, wherever it is. It leaves no core with a guest's secrets in it.

    Args:
        cpu_s: CPU time of the whole process.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    # Python ignores it by default; the CPU limit of an invocation ends the process by it.
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_NOFILE, _OPEN_FILES)
    if cpu_s is not None:
        _limit(resource.RLIMIT_CPU, cpu_s)


def sandbox(*, memory_bytes: int) -> bool:
    """
    Return up the rest once the engine is open: more memory than told, and every file to write to.

    Memory is limited here and not before, because an engine's pools count from the start
    (``RLIMIT_DATA``) though nothing is in them yet. ``RLIMIT_AS`` can't serve: an instance
    reserves 6 GiB of addresses. Nor can ``RLIMIT_FSIZE`` for files: it counts the unnamed ones
    that Wasmtime keeps a memory's first contents in.

    Args:
        memory_bytes: Writable memory beyond what is taken already.

    Returns:
        Whether the kernel refuses files from now on; see `give_up_writing`.
    """
    _limit(resource.RLIMIT_DATA, writable_bytes() + memory_bytes)
    return give_up_writing()


def writable_bytes() -> int:
    """
    Return what ``RLIMIT_DATA`` counts; 0 where there is no Linux to say it.
    """
    try:
        lines = Path("/proc/self/status").read_text("ascii").splitlines()
        return next(int(line.split()[1]) * KIB for line in lines if line.startswith("VmData:"))
    except (OSError, StopIteration):
        return 0


def _limit(which: int, value: int) -> None:
    _, hard = resource.getrlimit(which)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(which, (value, value))
