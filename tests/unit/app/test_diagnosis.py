"""What is said of a machine: what was not found, and what is too old."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from wasm_grpc.app import diagnosis
from wasm_grpc.core.errors import EngineUnavailableError
from wasm_grpc.core.settings import make_settings

__all__ = []

TODAY = dt.date(2026, 11, 28)


@pytest.mark.asyncio
async def test_a_missing_engine_is_named_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line has the engine as its subject, and then what is wrong and what to do."""

    async def find_nothing(*_: object) -> None:
        raise EngineUnavailableError("engine wasmer: no interpreter has it; expected a CPython 3.10")

    monkeypatch.setattr(diagnosis, "find_runtime", find_nothing)
    settings = make_settings({"engine": "wasmer", "cache_dir": str(tmp_path / "cache")})

    found = await diagnosis.diagnose(settings, daprd=None, today=TODAY)

    assert not found.can_serve
    assert found.findings[1] == diagnosis.Finding(
        subject="engine wasmer",
        is_found=False,
        found="no interpreter has it",
        remedy="expected a CPython 3.10",
    )


@pytest.mark.asyncio
async def test_an_engine_that_gets_no_more_fixes(tmp_path: Path) -> None:
    """It serves, and the line says how old it is and what to do."""
    settings = make_settings({"engine": "wasmtime", "cache_dir": str(tmp_path / "cache")})

    found = await diagnosis.diagnose(settings, daprd=None, today=dt.date(2126, 1, 1))

    engine = found.findings[1]
    assert (found.can_serve, engine.is_found) == (True, True)
    assert engine.remedy.endswith(" and gets no more fixes; expected a newer one: SECURITY.md")
