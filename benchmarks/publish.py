"""
Write a run's results, its tables and plots, and the pages that quote it: ``python -m benchmarks.publish``.

By itself it makes tables, plots and pages anew from the committed results.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.document import Document, read_document, write_document
from benchmarks.field.findings import FieldFindings
from benchmarks.field.tables import load_tables, memory_table, neighbour_table, sweep_table
from benchmarks.pages import PAGES, fill
from benchmarks.processes import ROOT

__all__ = ["PARTIAL_RESULTS", "RESULTS", "field_lines", "publish"]

RESULTS = ROOT / "benchmarks" / "results"
"""Of whole runs; committed."""
PARTIAL_RESULTS = RESULTS / "partial"
"""Of quick and partial runs; Git ignores them."""

_JSON = "results.json"
_MARKDOWN = "results.md"


def publish(document: Document, folder: Path) -> list[Path]:
    """
    Write a run into a folder, and return what was written; if it is `RESULTS`, fill the pages too.
    """
    written = [folder / _JSON]
    write_document(document, written[0])
    return written + _derive(read_document(written[0]), folder)


def field_lines(found: FieldFindings | None) -> Iterator[str]:
    """
    Return the tables of the field, of what was measured.
    """
    if found is None:
        return
    yield from load_tables(found, {load.callers for load in found.loads})
    for series in ("callers", "body", "workers"):
        if any(load.series == series for load in found.loads):
            yield from (*sweep_table(found, series), "")
    if found.memory:
        yield from (*memory_table(found), "")
    if found.neighbours:
        yield from (*neighbour_table(found), "")


def _derive(document: Document, folder: Path) -> list[Path]:
    markdown = folder / _MARKDOWN
    markdown.write_text("\n".join(_markdown(document)), "utf-8")
    written = [markdown]
    if document.field is not None:
        if importlib.util.find_spec("matplotlib") is None:
            print("bench: no plots: matplotlib is not installed", file=sys.stderr)
        else:
            from benchmarks.field.plots import draw  # noqa: PLC0415 - optional

            written += draw(document.field, folder)
    if folder == RESULTS:
        written += [path for path in PAGES if fill(path, document)]
    return written


def _markdown(document: Document) -> Iterator[str]:
    yield "# Results"
    yield ""
    yield "Written by `make bench`. What the figures mean: [docs/performance.md](../../docs/performance.md)."
    yield ""
    yield "| | |"
    yield "|---|---|"
    for name, value in {**document.machine, **document.versions}.items():
        yield f"| {name} | {value} |"
    yield ""
    for name, why in document.left_out.items():
        yield f"Left out: {name}: {why}."
        yield ""
    yield "## Among others, behind the same daprd"
    yield ""
    yield from field_lines(document.field)
    yield "## Ours alone"
    yield ""
    yield from ("```text", *document.text, "```", "")


if __name__ == "__main__":
    for each in _derive(read_document(RESULTS / _JSON), RESULTS):
        print(f"written: {each}")
