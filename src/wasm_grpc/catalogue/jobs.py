"""The jobs that manifests schedule."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from wasm_grpc.catalogue.function import Function
from wasm_grpc.manifest.triggers import JobTrigger

__all__ = ["ScheduledJob", "scheduled_jobs"]


@dataclass(frozen=True, slots=True)
class ScheduledJob:
    """
    A job that a manifest schedules.

    Attributes:
        function: The function that it calls.
        index: Its place among the function's jobs.
        trigger: Its table.
    """

    function: Function
    index: int
    trigger: JobTrigger

    def format_problem(self, problem: str) -> str:
        """
        Return the whole line of a problem: ``<folder>/function.toml: trigger.job[0]: <problem>``.
        """
        return self.function.format_problem(f"trigger.job[{self.index}]: {problem}")


def scheduled_jobs(functions: Iterable[Function]) -> Iterator[ScheduledJob]:
    """
    Yield the jobs that have to be scheduled with Dapr.
    """
    for function in functions:
        for index, trigger in enumerate(function.manifest.trigger.job):
            if trigger.is_scheduled:
                yield ScheduledJob(function, index, trigger)
