"""What is said of a machine where nothing was found."""

from __future__ import annotations

from pathlib import Path

import pytest

from wasm_grpc.app import diagnosis
from wasm_grpc.core.errors import EngineUnavailableError
from wasm_grpc.core.settings import make_settings

__all__ = []


@pytest.mark.asyncio
async def test_a_missing_engine_is_named_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line has the engine as its subject, and then what is wrong and what to do."""

    async def find_nothing(*_: object) -> None:
        raise EngineUnavailableError("engine wasmer: no interpreter has it; expected a CPython 3.10")

    monkeypatch.setattr(diagnosis, "find_runtime", find_nothing)
    settings = make_settings({"engine": "wasmer", "cache_dir": str(tmp_path / "cache")})

    found = await diagnosis.diagnose(settings, daprd=None)

    assert not found.can_serve
    assert found.findings[1] == diagnosis.Finding(
        subject="engine wasmer",
        is_found=False,
        found="no interpreter has it",
        remedy="expected a CPython 3.10",
    )
