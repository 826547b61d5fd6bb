"""The results of a run as one JSON document, which the tables, the plots and the pages are made from."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from benchmarks.field.findings import FieldFindings

__all__ = ["Document", "missing_figures", "read_document", "write_document"]

_DIGITS = 4
"""Significant digits of a figure; no run repeats the fourth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """
    One run.

    Attributes:
        plan: "full" or "quick".
        parts: That were asked for.
        machine: What it ran on.
        versions: Of everything that ran.
        left_out: A sentence on each part or peer that could not be measured, by name.
        field: Ours among others; None where that wasn't asked for, or is left out.
        ours: The other parts' figures, by part.
        text: The same for people.
    """

    plan: str
    parts: Sequence[str]
    machine: Mapping[str, str]
    versions: Mapping[str, str]
    left_out: Mapping[str, str]
    field: FieldFindings | None
    ours: Mapping[str, Any]
    text: list[str]


def write_document(document: Document, path: Path) -> None:
    """
    Write a run.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(_rounded(asdict(document)), indent=1) + "\n", "utf-8")


def read_document(path: Path) -> Document:
    """
    Read what `write_document` has written.
    """
    return TypeAdapter(Document).validate_json(path.read_bytes())


def missing_figures(document: Document) -> list[str]:
    """
    Return the names of figures that a run should have and hasn't: of empty parts, and of what is no number.
    """
    figures = {**document.ours, **_field_parts(document.field)}
    wanted = [part for part in document.parts if part not in document.left_out]
    empty = [part for part in wanted if not figures.get(part)]
    return empty + [name for part in wanted for name in _gaps(part, figures.get(part) or {})]


def _field_parts(field: FieldFindings | None) -> dict[str, Any]:
    if field is None:
        return {}
    found = asdict(field)
    is_case = [load["series"] == "cases" for load in found["loads"]]
    return {
        "peers": [load for load, is_one in zip(found["loads"], is_case, strict=True) if is_one],
        "sweeps": [load for load, is_one in zip(found["loads"], is_case, strict=True) if not is_one],
        "memory": found["memory"],
        "neighbours": found["neighbours"],
    }


def _gaps(name: str, value: object) -> Iterator[str]:
    if isinstance(value, Mapping | list | tuple):
        items = value.items() if isinstance(value, Mapping) else enumerate(value)
        for key, each in items:
            yield from _gaps(f"{name}.{key}", each)
    elif value is None or (isinstance(value, float) and not math.isfinite(value)):
        yield name


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}")
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(each) for each in value]
    return value
