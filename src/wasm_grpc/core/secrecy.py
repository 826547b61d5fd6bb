"""
Hide from the other processes of its user what this process knows: its memory, and its environment.

Sources: prctl(2), proc(5) and ptrace(2), § "Ptrace access mode checking".
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterable

from wasm_grpc.core.libc import libc

__all__ = ["forget_variables", "hide_memory"]

_PR_SET_DUMPABLE = 4
"""From <linux/prctl.h>."""


def hide_memory() -> None:
    """
    Let no other process of this user read or trace this one, and let it leave no core file.

    Only a privileged process may still do so. The environment below ``/proc`` is hidden as well.
    """
    if sys.platform == "linux":
        libc().prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def forget_variables(names: Iterable[str]) -> None:
    """
    Remove variables from the environment, and their values from the memory that ``/proc`` shows of it.

    ``del os.environ[name]`` alone leaves the text where the kernel put it at the start of the process.
    """
    names = [name for name in names if name in os.environ]
    if sys.platform == "linux" and names:
        table = ctypes.POINTER(ctypes.c_void_p).in_dll(libc(), "environ")
        beginnings = tuple(f"{name}=".encode() for name in names)
        index = 0
        while address := table[index]:
            text = ctypes.string_at(address)
            if text.startswith(beginnings):
                at = text.index(b"=") + 1
                ctypes.memset(address + at, 0, len(text) - at)
            index += 1
    for name in names:
        del os.environ[name]
