"""A run's results: which figures it lacks, how rounds are summed up, and how a page quotes them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from benchmarks.document import Document, missing_figures, read_document, write_document
from benchmarks.field.findings import FieldFindings, FieldLoad, Latency, Neighbour, PeerLoad, Taken, sum_up
from benchmarks.pages import filled

PEER = PeerLoad(rate=1234.5678, p50_ms=1, p99_ms=2, cpu_us={"app": 3}, ratio=1)
FOUND = FieldFindings(
    titles={"wasmtime": "ours"},
    left_out={},
    loads=[
        FieldLoad(series="callers", method="echo", x=16, callers=16, body_bytes=64, peers={"wasmtime": PEER})
    ],
    memory={},
    neighbours={
        "wasmtime": Neighbour(
            latencies={16: Latency(p50_ms=1, p99_ms=2, calls=3, unanswered=0)}, cores_after=0
        )
    },
)


def run(ours: Mapping[str, Any], *, parts: list[str], left_out: Mapping[str, str] | None = None) -> Document:
    """A run that was asked for some parts."""
    return Document(
        plan="full",
        parts=parts,
        machine={"cores": "2"},
        versions={},
        left_out=left_out or {},
        field=FOUND,
        ours=ours,
        text=[],
    )


def test_a_run_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Figures are rounded to four digits; all else is the same, numbers as keys too."""
    path = tmp_path / "results" / "results.json"

    write_document(run({}, parts=["sweeps"]), path)

    found = read_document(path).field
    assert found is not None
    assert found.loads[0].peers["wasmtime"].rate == 1235
    assert found.neighbours == FOUND.neighbours


@pytest.mark.parametrize("part", ["topics", "memory"])
def test_a_part_without_figures_is_named(part: str) -> None:
    """A part that was asked for and is empty fails the run, one of ours and one of the field."""
    assert missing_figures(run({"topics": {}}, parts=[part])) == [part]


def test_a_part_that_is_left_out_is_not_missed() -> None:
    """What this machine can't measure is said in a sentence instead."""
    assert missing_figures(run({}, parts=["topics"], left_out={"topics": "no redis-server"})) == []


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_a_figure_that_is_no_number_is_named(value: float | None) -> None:
    """The name leads to its place in the document."""
    found = run({"page": {"wasmtime": {"page_ms": value}}}, parts=["page"])

    assert missing_figures(found) == ["page.wasmtime.page_ms"]


def test_rounds_are_summed_up_as_medians() -> None:
    """The ratio is the median of each round's, so that what slows a whole round cancels out."""
    base = [_taken(100), _taken(10), _taken(200)]
    ours = [_taken(50), _taken(5), _taken(150)]

    found = sum_up(ours, base)

    assert (found.rate, found.ratio) == (50, 0.5)
    assert found.cpu_us == {"app": 2000}


def test_a_page_gets_its_tables_and_keeps_the_rest() -> None:
    """What stood between the two comments is replaced, and nothing else."""
    page = "before\n<!-- bench: callers -->\n| old |\n<!-- /bench -->\nafter\n"

    assert filled(page, run({}, parts=[])) == (
        "before\n<!-- bench: callers -->\n"
        "| callers | 16 |\n|---|---:|\n| ours | 1,235 |\n"
        "<!-- /bench -->\nafter\n"
    )


def _taken(rate: float) -> Taken:
    return Taken(rate=rate, p50_ms=1, p99_ms=2, requests=1000, cpu_s={"app": 2})
