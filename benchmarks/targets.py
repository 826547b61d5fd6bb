"""What was promised of the speed, and what came of it in this run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.bindgen import Bindgen
from benchmarks.cases import ANEW
from benchmarks.dapr_calls import LATE_S, WAITING, DaprCallCost
from benchmarks.file_cost import FILE_COSTS
from benchmarks.first_call import FirstCall
from benchmarks.interfaces import InterfaceCost
from benchmarks.page import PageCost
from benchmarks.pictures import Likeness
from benchmarks.results import CaseResult
from benchmarks.reuse import Reuse
from benchmarks.startup import Startup
from benchmarks.streams import StreamResult
from benchmarks.topics import Topics

__all__ = ["Verdict", "verdicts"]

_ALL_CORES = {"echo": 16, "classify": 16}
"""Callers whose figures count, where the target is of all cores."""
_RATIOS = {"echo": 0.7, "bodies": 0.75, "grayscale": 1.25, "classify": 1.0}
_ANEW_RATIO = 50
_STREAM_RATIO = 0.4
_TURN_RATIO = 3.0
_FIRST_CALL_RATIO = 1.3
_SIZE_RATIO = 1.25
_STARTUP_S = 0.6
_BATCH_RATIO = 3.0
_SDK_RATIO = 0.6
_PAGE_MS = 3.0
_WARM_RATIO = 1.3
_INTERFACE_RATIO = 0.9
_DEMO_RATIO = 100
_BINDGEN_RATIO = 0.8
_WRITE_MB_S = 200
_DAPR_ADDED_MS = 0.3
_WAITING_S = LATE_S + 1.0
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
    *,
    likenesses: Mapping[str, Mapping[str, Likeness]],
    streams: Mapping[str, StreamResult],
    files: Mapping[str, Mapping[str, float]],
    startups: Mapping[str, Startup],
    first_calls: Mapping[str, FirstCall],
    topics: Mapping[str, Topics],
    dapr_calls: Mapping[str, DaprCallCost],
    pages: Mapping[str, PageCost],
    reuse: Mapping[str, Mapping[str, Reuse]],
    interfaces: Mapping[str, InterfaceCost],
    bindgen: Mapping[str, Mapping[str, Bindgen]],
    engines: Sequence[str],
) -> list[Verdict]:
    """
    Judge everything that was measured and has a target.

    Args:
        results: Of the loads.
        likenesses: By load and engine.
        streams: By server, the bare one among them.
        files: By engine; see `file_cost.FILE_COSTS`.
        startups: By engine.
        first_calls: By engine.
        topics: By engine.
        dapr_calls: By engine.
        pages: By engine.
        reuse: By engine and language.
        interfaces: By engine.
        bindgen: By engine and function.
        engines: Ours.
    """
    found = []
    for result in results:
        if result.callers != _ALL_CORES.get(result.part, result.callers):
            continue
        wanted = _RATIOS[result.part]
        target = f"{result.title}: of {result.baseline}"
        found += [_at_least(target, engine, result.ratios[engine], wanted) for engine in engines]
        if ANEW in result.ratios:
            target = f"{result.title}: of all anew each request"
            anew = result.ratios[ANEW]
            found += [
                _at_least(target, engine, result.ratios[engine] / anew, _ANEW_RATIO) for engine in engines
            ]
    for name, by_engine in likenesses.items():
        for engine, likeness in by_engine.items():
            found += [
                _at_most(f"{name}: size of the PNG, of Pillow's", engine, likeness.size_ratio, _SIZE_RATIO),
                _at_most(f"{name}: largest difference of a pixel", engine, likeness.largest, _SAME_PIXEL),
            ]
    found += [
        verdict
        for engine in engines
        if engine in streams
        for verdict in _stream_verdicts(engine, streams[engine])
    ]
    found += _file_verdicts(files)
    found += _topic_verdicts(topics)
    found += _dapr_verdicts(dapr_calls)
    found += _interface_verdicts(interfaces)
    found += [
        _at_least(f"waPC echo by {language}: warm of fresh", engine, each.ratio, _WARM_RATIO)
        for engine, languages in reuse.items()
        for language, each in languages.items()
    ]
    found += [
        _at_least(f"echo 64 KiB, bindgen {name}: of the command's", engine, each.ratio, _BINDGEN_RATIO)
        for engine, functions in bindgen.items()
        for name, each in functions.items()
        if name != "command"
    ]
    found += [
        _at_most("the page's own cost, ms", engine, page.cost_ms, _PAGE_MS) for engine, page in pages.items()
    ]
    found += [
        _at_most("ready with functions cached, s", engine, startup.median_s, _STARTUP_S)
        for engine, startup in startups.items()
    ]
    return found + [
        _at_most("classify, first call after start: of the next", engine, first.ratio, _FIRST_CALL_RATIO)
        for engine, first in first_calls.items()
    ]


def _stream_verdicts(engine: str, stream: StreamResult) -> list[Verdict]:
    return [
        *(
            _at_least(f"stream, chunks of {name}: of bare", engine, transfer.ratio, _STREAM_RATIO)
            for name, transfer in stream.transfers.items()
        ),
        _at_most("stream, time to the first byte: of bare", engine, stream.first_ratio, _TURN_RATIO),
        _at_most("stream, from a chunk to its answer: of bare", engine, stream.turn_ratio, _TURN_RATIO),
    ]


def _topic_verdicts(topics: Mapping[str, Topics]) -> list[Verdict]:
    found = []
    for engine, topic in topics.items():
        found += [
            _at_least("topic, batches of 100: of single delivery", engine, topic.batch_ratio, _BATCH_RATIO),
            _at_least("topic, single delivery: of the SDK's idle app", engine, topic.sdk_ratio, _SDK_RATIO),
        ]
    return found


def _dapr_verdicts(dapr_calls: Mapping[str, DaprCallCost]) -> list[Verdict]:
    found = []
    for engine, cost in dapr_calls.items():
        found += [
            _at_most("a guest's call to Dapr: beyond the SDK's, ms", engine, cost.added_ms, _DAPR_ADDED_MS),
            _at_most(f"{WAITING} guests that wait on two slots, s", engine, cost.waiting_s, _WAITING_S),
        ]
    return found


def _interface_verdicts(interfaces: Mapping[str, InterfaceCost]) -> list[Verdict]:
    found = []
    for engine, cost in interfaces.items():
        found += [
            _at_least(f"inference by {name}: of wasi-nn", engine, ratio, _INTERFACE_RATIO)
            for name, ratio in cost.of_wasi_nn.items()
        ]
        found.append(
            _at_least("module of 2021: of everything anew each request", engine, cost.of_anew, _DEMO_RATIO)
        )
    return found


def _file_verdicts(files: Mapping[str, Mapping[str, float]]) -> list[Verdict]:
    stdout, scratch, _, grant = FILE_COSTS
    found = []
    for engine, costs in files.items():
        found += [
            _at_least(f"4 KiB pieces to {to}, MB/s", engine, costs[to], _WRITE_MB_S)
            for to in (stdout, scratch)
        ]
        found.append(_at_most(f"echo, {grant}, of one without", engine, costs[grant], _GRANT_RATIO))
    return found


def _at_least(target: str, engine: str, value: float, least: float) -> Verdict:
    return Verdict(target=target, wanted=f">= {least:g}", engine=engine, value=value, is_met=value >= least)


def _at_most(target: str, engine: str, value: float, most: float) -> Verdict:
    return Verdict(target=target, wanted=f"<= {most:g}", engine=engine, value=value, is_met=value <= most)
