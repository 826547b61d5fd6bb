"""The processes below a server, seen from outside: which there are, and which one computes."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Callable
from pathlib import Path

__all__ = [
    "busy_worker",
    "children",
    "is_alive",
    "process_pids",
    "resident_bytes",
    "settled",
    "until",
    "worker_pids",
]

_BUSY_TICKS = 5
"""50 ms of CPU time: more than a worker takes for anything but a guest or its own start."""
_QUIET_LOOKS = 30
"""150 ms: a process that starts up doesn't sleep for so long."""


def children(pid: int) -> list[int]:
    """Return the processes that a process started and that still run, not those it hasn't reaped."""
    tasks = Path(f"/proc/{pid}/task")
    found: list[int] = []
    for task in tasks.iterdir() if tasks.exists() else ():
        try:
            found += map(int, (task / "children").read_text().split())
        except OSError:
            continue
    return [child for child in found if is_alive(child)]


def worker_pids(server: int) -> list[int]:
    """Return the workers of a server that still run: not its templates, nor what compiles for it."""
    return process_pids(server, "wasm-worker")


def process_pids(server: int, name: str) -> list[int]:
    """Return the children of a server that have this name in `ps -o comm`, and still run."""
    return [pid for pid in children(server) if _name(pid) == name]


def is_alive(pid: int) -> bool:
    """Say whether a process runs; a zombie doesn't."""
    fields = _stat(pid)
    return bool(fields) and fields[0] not in "ZX"


def resident_bytes(*pids: int) -> int:
    """Return the resident memory of these processes together; of those that still run."""
    total = 0
    for pid in pids:
        try:
            total += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        except OSError:
            continue
    return total * resource.getpagesize()


async def busy_worker(server: int, *, ticks: int = _BUSY_TICKS) -> int:
    """Wait for one of the workers that the server has now to compute for so many ticks, and return it."""
    before = {pid: _ticks(pid) for pid in worker_pids(server)}
    found: list[int] = []

    def is_found() -> bool:
        found[:] = [pid for pid in before if _ticks(pid) - before[pid] >= ticks]
        return bool(found)

    await until(is_found, "a worker that computes")
    return found[0]


async def settled(server: int, count: int) -> list[int]:
    """Wait for the server to have so many workers, all of which have started and rest; return them."""
    quiet = 0
    last: dict[int, int] = {}

    def are_quiet() -> bool:
        nonlocal quiet, last
        now = {pid: _ticks(pid) for pid in worker_pids(server)}
        rest = len(now) == count and now == last and all(_stat(pid)[:1] == ["S"] for pid in now)
        quiet, last = (quiet + 1 if rest else 0), now
        return quiet >= _QUIET_LOOKS

    await until(are_quiet, f"{count} workers at rest", timeout_s=15)
    return list(last)


async def until(holds: Callable[[], bool], what: str, *, timeout_s: float = 10) -> None:
    """Wait for something in another process that nobody announces; looks again every 5 ms."""
    loop = asyncio.get_running_loop()
    end_s = loop.time() + timeout_s
    while not holds():
        assert loop.time() < end_s, f"waited {timeout_s:g} s for {what}"
        await asyncio.sleep(0.005)


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def _stat(pid: int) -> list[str]:
    """Return what /proc/<pid>/stat has after the name: state first, user time at 11, system time at 12."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _ticks(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[11]) + int(fields[12]) if fields else 0
