"""Measure the memory of this machine, or of the container in which this process runs."""

from __future__ import annotations

import os
from pathlib import Path

from wasm_grpc.core.model import KIB

__all__ = ["machine_memory_bytes"]


def machine_memory_bytes(root: Path = Path("/")) -> int | None:
    """
    Return the memory that all processes may take together, in bytes; None if it is unknown.

    Source: Linux's ``proc_meminfo(5)``, and ``memory.max`` of its control groups, version 2.

    Args:
        root: Folder with ``proc`` and ``sys``.
    """
    known = [_total(root), *_group_limits(root)]
    return min((size for size in known if size is not None), default=None)


def _total(root: Path) -> int | None:
    for line in _read(root / "proc/meminfo").splitlines():
        name, _, rest = line.partition(":")
        if name == "MemTotal" and (figure := rest.split()[:1]) and figure[0].isdecimal():
            return int(figure[0]) * KIB
    return None


def _group_limits(root: Path) -> list[int]:
    own = next(
        (line[3:] for line in _read(root / "proc/self/cgroup").splitlines() if line[:3] == "0::"), None
    )
    if own is None:
        return []
    # A limit of any group above this process's own applies too.
    group = Path(os.path.normpath(own))
    limits = (
        _read(root / "sys/fs/cgroup" / each.relative_to("/") / "memory.max").strip()
        for each in (group, *group.parents)
    )
    return [int(limit) for limit in limits if limit.isdecimal()]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
