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


def test_what_the_sidecar_must_have_is_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each secret and each job that is scheduled is told; nothing of it is looked for."""
    monkeypatch.setattr("wasm_grpc.app.checking.machine_memory_bytes", lambda: None)
    env = '[env]\nLOG = "info"\nA = { secret = "vault/A" }\nB = { secret = "vault/db", key = "b" }'
    jobs = '[[trigger.job]]\nname = "received"\n[[trigger.job]]\nname = "nightly"\nschedule = "@daily"'
    write_function(tmp_path / "functions", "echo", sections=env, trigger=jobs)
    settings = make_settings({"engine": "wasmtime", "workers": 1, "cache_dir": str(tmp_path / "cache")})

    (report,) = asyncio.run(check(tmp_path / "functions", settings)).functions

    assert (report.problems, report.notes) == (
        (),
        (
            "echo/function.toml: env.A: `serve` reads it from secret 'vault/A' of its sidecar",
            "echo/function.toml: env.B: `serve` reads it from entry 'b' of secret 'vault/db' of its sidecar",
            "echo/function.toml: trigger.job[1]: `serve` schedules 'nightly' with its sidecar, "
            "which needs Dapr's scheduler",
        ),
    )
