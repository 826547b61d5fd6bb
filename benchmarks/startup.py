"""How long `serve` takes from its start to the line that says it serves."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.cases import Subject
from benchmarks.processes import serving

__all__ = ["Startup", "measure_startup"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Startup:
    """
    Starts of one server whose functions are cached.

    Attributes:
        median_s: Median of all.
        slowest_s: The slowest.
    """

    median_s: float
    slowest_s: float


def measure_startup(subject: Subject, *, times: int, env: Mapping[str, str]) -> Startup:
    """
    Start and stop a server so many times, and once before that fills its cache.

    Args:
        subject: The server.
        times: How often.
        env: Says where the cache is.

    Raises:
        ProgramError: It did not start.
    """
    starts = []
    for _ in range(1 + times):
        with serving(subject.command, env=env) as server:
            starts.append(server.start_s)
    return Startup(median_s=statistics.median(starts[1:]), slowest_s=max(starts[1:]))
