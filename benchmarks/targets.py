"""What was promised of the speed, and what came of it in this run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.file_cost import FILE_COSTS
from benchmarks.pictures import Likeness
from benchmarks.results import CaseResult
from benchmarks.startup import Startup
from benchmarks.topics import Topics

__all__ = ["Verdict", "verdicts"]

_ECHO_RATIO = 0.3
_ECHO_CALLERS = 16
_GRAYSCALE_RATIO = 0.9
_SIZE_RATIO = 1.25
_STARTUP_S = 1.0
_BATCH_RATIO = 3.0
_SDK_RATIO = 0.9
_WRITE_MB_S = 200
_GRANT_RATIO = 1.05
_SAME_PIXEL = 2
"""Decoders round differently: of 255, what two correct ones may differ in one pixel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """
    One target on one engine.

    Attributes:
        target: What it is about.
        wanted: As a text.
        engine: Name of ours.
        value: What was measured.
        is_met: Whether that is as wanted.
    """

    target: str
    wanted: str
    engine: str
    value: float
    is_met: bool


def verdicts(
    results: Iterable[CaseResult],
    likenesses: Mapping[str, Mapping[str, Likeness]],
    files: Mapping[str, Mapping[str, float]],
    startups: Mapping[str, Startup],
    topics: Mapping[str, Topics],
    *,
    engines: Sequence[str],
) -> list[Verdict]:
    """
    Judge everything that was measured and has a target.

    Args:
        results: Of the loads.
        likenesses: By load and engine.
        files: By engine; see `file_cost.FILE_COSTS`.
        startups: By engine.
        topics: By engine.
        engines: Ours.
    """
    found = []
    for result in results:
        if result.method == "echo" and result.callers != _ECHO_CALLERS:
            continue
        wanted = _ECHO_RATIO if result.method == "echo" else _GRAYSCALE_RATIO
        target = f"{result.title}: of {result.baseline}"
        found += [_at_least(target, engine, result.ratios[engine], wanted) for engine in engines]
    for name, by_engine in likenesses.items():
        for engine, likeness in by_engine.items():
            found += [
                _at_most(f"{name}: size of the PNG, of Pillow's", engine, likeness.size_ratio, _SIZE_RATIO),
                _at_most(f"{name}: largest difference of a pixel", engine, likeness.largest, _SAME_PIXEL),
            ]
    for engine, topic in topics.items():
        found += [
            _at_least("topic, batches of 100: of single delivery", engine, topic.batch_ratio, _BATCH_RATIO),
            _at_least("topic, single delivery: of the SDK's idle app", engine, topic.sdk_ratio, _SDK_RATIO),
        ]
    stdout, scratch, _, grant = FILE_COSTS
    for engine, costs in files.items():
        found += [
            _at_least(f"4 KiB pieces to {to}, MB/s", engine, costs[to], _WRITE_MB_S)
            for to in (stdout, scratch)
        ]
        found.append(_at_most(f"echo, {grant}, of one without", engine, costs[grant], _GRANT_RATIO))
    return found + [
        _at_most("ready with functions cached, s", engine, startup.median_s, _STARTUP_S)
        for engine, startup in startups.items()
    ]


def _at_least(target: str, engine: str, value: float, least: float) -> Verdict:
    return Verdict(target=target, wanted=f">= {least:g}", engine=engine, value=value, is_met=value >= least)


def _at_most(target: str, engine: str, value: float, most: float) -> Verdict:
    return Verdict(target=target, wanted=f"<= {most:g}", engine=engine, value=value, is_met=value <= most)
