"""The walls around a worker process that a kernel may lack, and what each of them keeps from it."""

from __future__ import annotations

import enum
from collections.abc import Iterable

__all__ = ["Wall", "describe_missing"]


class Wall(str, enum.Enum):
    """
    A mechanism of the kernel that confines a process. The values are the kernel's own names.
    """

    LANDLOCK = "landlock"
    SECCOMP = "seccomp"

    @property
    def promise(self) -> str:
        """
        What it does for a worker.
        """
        return _PROMISES[self]

    @property
    def lack(self) -> str:
        """
        What a worker can do without it.
        """
        return _LACKS[self]

    @property
    def expected(self) -> str:
        """
        What a machine needs for it.
        """
        return _EXPECTED[self]


_PROMISES = {
    Wall.LANDLOCK: "workers can open no file but what their functions were granted, and write none",
    Wall.SECCOMP: "workers can make no process and no socket, and touch no other process",
}
_LACKS = {
    Wall.LANDLOCK: "the kernel does not keep workers from reading files",
    Wall.SECCOMP: "the kernel does not keep workers from making processes and sockets",
}
_EXPECTED = {
    Wall.LANDLOCK: "Linux 5.13 or newer with Landlock, and a container that allows it",
    Wall.SECCOMP: "Linux on x86-64 or aarch64 with seccomp filters, and a container that allows them",
}


def describe_missing(missing: Iterable[Wall]) -> str:
    """
    Return one sentence about the walls that are missing.
    """
    walls = list(missing)
    lacks = ", and ".join(wall.lack for wall in walls)
    expected = "; ".join(wall.expected for wall in walls)
    names = " and ".join(wall.value for wall in walls)
    return f"the sandbox of workers lacks {names}: {lacks}; expected {expected}"
