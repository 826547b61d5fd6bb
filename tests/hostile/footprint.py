"""What a server holds: its children, descriptors, threads and memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from integration.processes import children, resident_bytes

__all__ = ["Footprint"]


@dataclass(frozen=True)
class Footprint:
    """What a server held at one time."""

    children: int
    descriptors: int
    threads: int
    resident_bytes: int

    @classmethod
    def of(cls, pid: int) -> Footprint:
        """Return what a process holds now."""
        return cls(
            children=len(children(pid)),
            descriptors=len(list(Path(f"/proc/{pid}/fd").iterdir())),
            threads=len(list(Path(f"/proc/{pid}/task").iterdir())),
            resident_bytes=resident_bytes(pid),
        )

    def is_within(self, before: Footprint, *, growth_bytes: int) -> bool:
        """Whether a server holds no more than before, but for so much memory."""
        return (
            self.children == before.children
            and self.descriptors <= before.descriptors
            and self.threads <= before.threads
            and self.resident_bytes <= before.resident_bytes + growth_bytes
        )

    def __str__(self) -> str:
        return (
            f"{self.resident_bytes / (1 << 20):.1f} MiB, {self.children} children, "
            f"{self.descriptors} descriptors, {self.threads} threads"
        )
