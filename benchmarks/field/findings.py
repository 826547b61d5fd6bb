"""What is found about the field: figures by peer, made of rounds."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["FieldFindings", "FieldLoad", "Latency", "MemoryUse", "Neighbour", "PeerLoad", "Taken", "sum_up"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """
    One peer under one load in one round.

    Attributes:
        rate: Requests a second.
        p50_ms: Median time of a call.
        p99_ms: 99 of 100 calls took no longer.
        requests: Calls with those of the warm-up.
        cpu_s: CPU seconds of all of them, by process: daprd, the app, its workers, the client.
    """

    rate: float
    p50_ms: float
    p99_ms: float
    requests: int
    cpu_s: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerLoad:
    """
    One peer under one load over all rounds: medians.

    Attributes:
        rate: Requests a second.
        p50_ms: Median time of a call.
        p99_ms: 99 of 100 calls took no longer.
        cpu_us: CPU time a call in microseconds, by process.
        ratio: Of its rate to our first engine's: the median of the rounds' ratios.
    """

    rate: float
    p50_ms: float
    p99_ms: float
    cpu_us: Mapping[str, float]
    ratio: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldLoad:
    """
    Every peer under one load.

    Attributes:
        series: What it belongs to: "cases", or the name of a sweep.
        method: The function that is called.
        x: Where it stands in its sweep: callers, bytes or workers.
        callers: Calls at a time.
        body_bytes: What each call sends.
        peers: By key.
    """

    series: str
    method: str
    x: int
    callers: int
    body_bytes: int
    peers: Mapping[str, PeerLoad]


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryUse:
    """
    Proportional set size (PSS) of all of a peer's processes, in MiB.

    Attributes:
        functions: How many it serves.
        daprd_mib: Of daprd, after a call of each function.
        app_mib: Of the app with its workers, likewise.
        start_s: From the start to readiness, compiled modules being cached where a peer has a cache.
    """

    functions: int
    daprd_mib: float
    app_mib: float
    start_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """
    Times of an echo's calls, one caller.

    Attributes:
        p50_ms: The median; that of a call that was given up counts as the caller's patience.
        p99_ms: 99 of 100 calls took no longer.
        calls: All.
        unanswered: Those that were given up.
    """

    p50_ms: float
    p99_ms: float
    calls: int
    unanswered: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """
    What an echo's callers feel of a function that never returns.

    Attributes:
        latencies: By how many calls of that function are in flight.
        cores_after: Cores that are still in use once the callers of it have hung up.
    """

    latencies: Mapping[int, Latency]
    cores_after: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldFindings:
    """
    What a run has found; what wasn't measured is empty.

    Attributes:
        titles: The peers' names for people, by key.
        left_out: A sentence on each peer that could not be measured, by key.
        loads: In the order of their measuring.
        memory: By peer, a figure for each number of functions.
        neighbours: By peer.
    """

    titles: Mapping[str, str]
    left_out: Mapping[str, str]
    loads: Sequence[FieldLoad]
    memory: Mapping[str, Sequence[MemoryUse]]
    neighbours: Mapping[str, Neighbour]


def sum_up(rounds: Sequence[Taken], base: Sequence[Taken]) -> PeerLoad:
    """
    Sum up the rounds of one peer.

    Args:
        rounds: At least one.
        base: Those of our first engine, in the same order; may be more.
    """
    requests = sum(each.requests for each in rounds)
    return PeerLoad(
        rate=statistics.median(each.rate for each in rounds),
        p50_ms=statistics.median(each.p50_ms for each in rounds),
        p99_ms=statistics.median(each.p99_ms for each in rounds),
        cpu_us={part: sum(each.cpu_s[part] for each in rounds) / requests * 1e6 for part in rounds[0].cpu_s},
        ratio=statistics.median(a.rate / b.rate for a, b in zip(rounds, base, strict=False)),
    )
