"""The figures that pages quote: each stands between two comments, and is written from the results."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from benchmarks.document import Document
from benchmarks.field.findings import FieldFindings
from benchmarks.field.peers import BINDING, GO, NATIVE
from benchmarks.field.tables import (
    answer_time,
    figure,
    load_tables,
    memory_table,
    neighbour_table,
    sweep_table,
)
from benchmarks.processes import ROOT

__all__ = ["PAGES", "fill", "filled"]

PAGES = (ROOT / "README.md", ROOT / "docs" / "performance.md")

_ENDLESS = 16
_CALLERS = 16
_BLOCK = re.compile(r"(<!-- bench: (\w+) -->\n).*?(<!-- /bench -->)", re.DOTALL)


def fill(page: Path, document: Document) -> bool:
    """
    Write the results' figures into a page; returns whether that changes it.
    """
    old = page.read_text("utf-8")
    new = filled(old, document)
    if new != old:
        page.write_text(new, "utf-8")
    return new != old


def filled(text: str, document: Document) -> str:
    """
    Return a page's text with the results' figures in it.

    Raises:
        KeyError: The page asks for a block that there isn't.
        ValueError: The results have no figures of the field.
    """
    if document.field is None:
        raise ValueError("results without the field; expected those of a whole run")
    found = document.field

    def block(match: re.Match[str]) -> str:
        lines = "\n".join(_BLOCKS[match[2]](document, found))
        return f"{match[1]}{lines.strip()}\n{match[3]}"

    return _BLOCK.sub(block, text)


def _summary(_: Document, found: FieldFindings) -> Iterable[str]:
    """
    Return the README's three figures, of ours, of Dapr's own way and of the others.
    """
    ours = next(iter(found.titles))
    keys = [key for key in (ours, BINDING, GO, NATIVE[1]) if key in found.titles]
    echo, grayscale = (_rates(found, method) for method in ("echo", "grayscale"))
    beside = {key: answer_time(each.latencies[_ENDLESS]) for key, each in found.neighbours.items()}
    yield f"| behind the same daprd | {' | '.join(found.titles[key] for key in keys)} |"
    yield "|---|" + "---:|" * len(keys)
    yield _row(f"echo beside {_ENDLESS} calls that never return, p50 in ms", keys, beside)
    yield _row("photo to grey, requests/s", keys, grayscale)
    yield _row("echo of 64 bytes, requests/s", keys, echo)


def _rates(found: FieldFindings, method: str) -> Mapping[str, str]:
    (load,) = (
        each
        for each in found.loads
        if (each.series, each.method, each.callers) == ("cases", method, _CALLERS)
    )
    return {key: figure(each.rate) for key, each in load.peers.items()}


def _row(name: str, keys: Iterable[str], values: Mapping[str, str]) -> str:
    return f"| {name} | {' | '.join(values[key] for key in keys)} |"


def _machine(document: Document, _: FieldFindings) -> Iterable[str]:
    yield "| | |"
    yield "|---|---|"
    for name, value in {**document.machine, **document.versions}.items():
        yield f"| {name} | {value} |"


_BLOCKS: Mapping[str, Callable[[Document, FieldFindings], Iterable[str]]] = {
    "summary": _summary,
    "machine": _machine,
    "loads": lambda _, found: load_tables(found, (_CALLERS,)),
    "callers": lambda _, found: sweep_table(found, "callers"),
    "body": lambda _, found: sweep_table(found, "body"),
    "workers": lambda _, found: sweep_table(found, "workers"),
    "memory": lambda _, found: memory_table(found),
    "neighbours": lambda _, found: neighbour_table(found),
}
