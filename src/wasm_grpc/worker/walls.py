"""Put up the walls around a process, for good, before it handles anything untrusted."""

from __future__ import annotations

from collections.abc import Sequence

from wasm_grpc.core.walls import Wall
from wasm_grpc.worker import landlock, privileges, seccomp

__all__ = ["missing_walls", "put_up_walls"]

_PROCESSOR = ("/proc/cpuinfo", "/sys/devices/system/cpu")
"""What inference backends read of the machine when they open their first model."""


def missing_walls() -> tuple[Wall, ...]:
    """
    Return the walls that this kernel refuses.
    """
    is_there = {Wall.LANDLOCK: landlock.is_available(), Wall.SECCOMP: seccomp.is_available()}
    return tuple(wall for wall in Wall if not is_there[wall])


def put_up_walls(
    readable: Sequence[str] = (), *, infers: bool = False, forks: bool = False, has_threads: bool = False
) -> None:
    """
    Leave this process no file, no privilege and no system call but what it needs from now on.

    Call it once everything is imported. Walls that the kernel lacks are left out; see `missing_walls`.

    Args:
        readable: Paths of the files that it may go on to open. What does not exist is left out.
        infers: It may open models.
        forks: It is a template, whose processes put up walls of their own.
        has_threads: It may start threads.

    Raises:
        OSError: The kernel has a wall and refuses it all the same.
    """
    paths = (*readable, *(_PROCESSOR if infers else ()))
    with privileges.open_readable(paths) as (descriptors, needs_privilege):
        landlock.give_up_files(descriptors)
    privileges.drop_privileges(keeps_reading=needs_privilege)
    if seccomp.is_available():
        seccomp.filter_calls(forks=forks, has_threads=has_threads)
