"""What the operating system says: cores, and CPU time and memory of a process and of its children."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

__all__ = ["CpuTime", "cores", "cpu_time", "pss_mib"]

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuTime:
    """
    CPU seconds, user and system, of all threads.

    Attributes:
        own_s: Of the process.
        children_s: Of its children, also of those that have ended and were waited for.
    """

    own_s: float
    children_s: float

    def since(self, earlier: CpuTime) -> CpuTime:
        """
        Return what was used since an earlier reading.
        """
        return CpuTime(
            own_s=self.own_s - earlier.own_s,
            children_s=self.children_s - earlier.children_s,
        )


def cores() -> int:
    """
    Cores that this process may use.
    """
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def cpu_time(pid: int) -> CpuTime:
    """
    Read the time of a process that lives; all zero where there is no ``/proc`` to read it from.
    """
    if not (_PROC / "self" / "stat").exists():
        return CpuTime(own_s=0.0, children_s=0.0)
    _, own_s, ended_s = _stat(_PROC / str(pid))
    children = (_stat(folder) for folder in _PROC.glob("[0-9]*"))
    living_s = sum(used for parent, used, _ in children if parent == pid)
    return CpuTime(own_s=own_s, children_s=living_s + ended_s)


def _stat(folder: Path) -> tuple[int, float, float]:
    """
    Return (parent, CPU seconds, those of waited-for children); proc_pid_stat(5) counts its fields from 1.
    """
    try:
        # The second field, the name in brackets, may hold spaces and brackets itself.
        fields = (folder / "stat").read_bytes().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0, 0.0, 0.0
    parent, *ticks = (int(fields[number - 3]) for number in (4, 14, 15, 16, 17))
    user, system, ended_user, ended_system = (each / os.sysconf("SC_CLK_TCK") for each in ticks)
    return parent, user + system, ended_user + ended_system


def pss_mib(pid: int) -> float:
    """
    Read the proportional set size of a process and of all that descend from it, in MiB.

    Raises:
        OSError: There is no ``/proc`` to read it from, or the process has ended.
    """
    rollup = (_PROC / str(pid) / "smaps_rollup").read_text("ascii")
    kib = next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    lists = [path.read_text("ascii") for path in (_PROC / str(pid) / "task").glob("*/children")]
    return kib / 1024 + sum(pss_mib(int(child)) for child in " ".join(lists).split())
