"""The field's figures as Markdown tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from benchmarks.field.findings import FieldFindings, FieldLoad, Latency
from benchmarks.field.neighbours import PATIENCE_S

__all__ = ["answer_time", "figure", "load_tables", "memory_table", "neighbour_table", "sweep_table"]

_SWEEPS = {"callers": "callers", "body": "bytes", "workers": "workers"}
_PARTS = ("daprd", "app", "workers")


def figure(value: float) -> str:
    """
    Return a figure with three significant digits, and none behind the point from 100 on.
    """
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def answer_time(latency: Latency, *, unit: str = "") -> str:
    """
    Return the median time in milliseconds, or that most calls were given up.
    """
    if latency.p50_ms >= PATIENCE_S * 1e3:
        return f"no answer in {PATIENCE_S:g} s"
    return f"{figure(latency.p50_ms)}{unit}"


def load_tables(found: FieldFindings, callers: Iterable[int]) -> Iterator[str]:
    """
    Return a table for each function, at these numbers of callers.
    """
    wanted = [load for load in found.loads if load.series == "cases" and load.callers in set(callers)]
    for load in wanted:
        yield f"**{load.method}**, {_count(load.callers, 'caller')}, {load.body_bytes:,} bytes:"
        yield ""
        rows = [
            (
                found.titles[key],
                figure(each.rate),
                f"{each.ratio:.2f}",
                figure(each.p50_ms),
                figure(each.p99_ms),
                *(figure(each.cpu_us[part]) if each.cpu_us[part] else "" for part in _PARTS),
            )
            for key, each in load.peers.items()
        ]
        heads = ("requests/s", "of ours", "p50 ms", "p99 ms", *(f"CPU µs, {part}" for part in _PARTS))
        yield from _table(("", *heads), rows)
        yield ""


def sweep_table(found: FieldFindings, series: str) -> Iterator[str]:
    """
    Return requests a second along a sweep: "callers", "body" or "workers".
    """
    loads = [load for load in found.loads if load.series == series]
    keys = [key for key in found.titles if any(key in load.peers for load in loads)]
    rows = [(found.titles[key], *(_rate(load, key) for load in loads)) for key in keys]
    yield from _table((_SWEEPS[series], *(f"{load.x:,}" for load in loads)), rows)


def memory_table(found: FieldFindings) -> Iterator[str]:
    """
    Return the memory by number of functions, and the time of a start with the most.
    """
    uses = next(iter(found.memory.values()), ())
    heads = ("MiB with", *(_count(use.functions, "function") for use in uses), "of it daprd", "start, s")
    rows = [
        (
            found.titles[key],
            *(figure(use.daprd_mib + use.app_mib) for use in uses),
            figure(uses[-1].daprd_mib),
            figure(uses[-1].start_s),
        )
        for key, uses in found.memory.items()
    ]
    yield from _table(heads, rows)


def neighbour_table(found: FieldFindings) -> Iterator[str]:
    """
    Return an echo's times beside calls that don't return, and what these use after their callers have left.
    """
    counts = next(iter(found.neighbours.values())).latencies if found.neighbours else ()
    heads = (
        "p50 / p99 ms beside",
        *(_count(count, "endless call") for count in counts),
        "cores in use after",
    )
    rows = [
        (found.titles[key], *(_times(each) for each in peer.latencies.values()), f"{peer.cores_after:.1f}")
        for key, peer in found.neighbours.items()
    ]
    yield from _table(heads, rows)


def _times(latency: Latency) -> str:
    return answer_time(latency, unit=f" / {figure(latency.p99_ms)}")


def _rate(load: FieldLoad, key: str) -> str:
    return figure(load.peers[key].rate) if key in load.peers else ""


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun if number == 1 else noun + 's'}"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield "|---|" + "---:|" * (len(heads) - 1)
    for row in rows:
        yield f"| {' | '.join(row)} |"
