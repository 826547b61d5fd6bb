"""What `check` finds of a folder as a whole."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from integration.guests import write_function
from wasm_grpc.app.checking import check
from wasm_grpc.core.model import MIB
from wasm_grpc.core.settings import make_settings


def test_a_machine_that_is_too_small_is_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The functions are right, so they pass; the note has the figure that is needed."""
    write_function(tmp_path / "functions", "echo")
    monkeypatch.setattr("wasm_grpc.app.checking.machine_memory_bytes", lambda: 16 * MIB)
    settings = make_settings({"engine": "wasmtime", "workers": 1, "cache_dir": str(tmp_path / "cache")})

    report = asyncio.run(check(tmp_path / "functions", settings))

    assert [each.problems for each in report.functions] == [()]
    (note,) = report.notes
    assert note.startswith("workers on wasmtime need 47 MiB to load what they serve: 1 MiB of native code")
