"""When `doctor` says that an engine is too old."""

from __future__ import annotations

import datetime as dt

import pytest

from wasm_grpc.app.engine_age import age_note
from wasm_grpc.core.model import EngineName

__all__ = []

OLD = "is of October 2026 and gets no more fixes; expected a newer one: SECURITY.md"
NOTES = {
    "new": (EngineName.WASMTIME, "50.0.1", dt.date(2026, 11, 28), ""),
    "the last day": (EngineName.WASMTIME, "50.0.1", dt.date(2026, 12, 19), ""),
    "the second version after it": (EngineName.WASMTIME, "50.0.1", dt.date(2026, 12, 20), OLD),
    "over the turn of the year": (EngineName.WASMTIME, "52.0.0", dt.date(2027, 2, 19), ""),
    # Released on 20 August 2025.
    "a known release": (
        EngineName.WASMTIME,
        "36.0.2",
        dt.date(2025, 10, 20),
        "is of August 2025 and gets no more fixes; expected a newer one: SECURITY.md",
    ),
    "another engine": (EngineName.WASMER, "1.1.0", dt.date(2026, 12, 20), ""),
    "a version without a number": (EngineName.WASMTIME, "dev", dt.date(2026, 12, 20), ""),
}


@pytest.mark.parametrize("case", NOTES)
def test_the_age_of_an_engine(case: str) -> None:
    """Wasmtime gets fixes for two months after a release, which is on the 20th."""
    engine, version, today, note = NOTES[case]

    assert age_note(engine, version, today) == note
