"""Samples and what is made of them: medians over rounds, and ratios within each round."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["CaseResult", "Sample", "Summary", "fastest", "ratio", "summarise"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """
    One subject under one load in one round.

    Attributes:
        requests: Calls that were answered.
        seconds: Wall time they took together.
        p50_ms: Median time of a call.
        p99_ms: 99 of 100 calls took no longer.
        server_s: CPU time of the server process; 0 where it can't be read, as the next two.
        children_s: CPU time of its child processes.
        client_s: CPU time of the load client.
    """

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    server_s: float
    children_s: float
    client_s: float

    @property
    def rate(self) -> float:
        """
        Requests a second.
        """
        return self.requests / self.seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """
    One subject under one load over all rounds: medians, and CPU time a request in microseconds.
    """

    rate: float
    p50_ms: float
    p99_ms: float
    server_us: float
    children_us: float
    client_us: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseResult:
    """
    Every subject under one load.

    Attributes:
        title: The load's.
        part: The load's.
        callers: Calls at a time.
        baseline: The subject that ours are compared with.
        subjects: By key.
        ratios: Of each subject's rate to the baseline's: the median of the ratios of each round,
            so that what slows the whole machine for a while cancels out.
    """

    title: str
    part: str
    callers: int
    baseline: str
    subjects: Mapping[str, Summary]
    ratios: Mapping[str, float]


def summarise(samples: Sequence[Sample]) -> Summary:
    """
    Sum up the rounds of one subject; there is at least one.
    """
    requests = sum(sample.requests for sample in samples)
    return Summary(
        rate=statistics.median(sample.rate for sample in samples),
        p50_ms=statistics.median(sample.p50_ms for sample in samples),
        p99_ms=statistics.median(sample.p99_ms for sample in samples),
        server_us=sum(sample.server_s for sample in samples) / requests * 1e6,
        children_us=sum(sample.children_s for sample in samples) / requests * 1e6,
        client_us=sum(sample.client_s for sample in samples) / requests * 1e6,
    )


def fastest(keys: Sequence[str], subjects: Mapping[str, Summary]) -> str:
    """
    Return the subject with the highest rate.
    """
    return max(keys, key=lambda key: subjects[key].rate)


def ratio(ours: Sequence[Sample], baseline: Sequence[Sample]) -> float:
    """
    Return the median over the rounds of our rate to the baseline's.
    """
    return statistics.median(a.rate / b.rate for a, b in zip(ours, baseline, strict=True))
