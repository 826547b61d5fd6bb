"""Compile processes that were taken over: their module is refused, and nothing of theirs is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from hostile.conftest import TakenOver
from integration.commands import run_command
from integration.guests import write_functions

__all__: list[str] = []

FAULTS = {
    "bloat": "COMPILED frame: body of 209715200 bytes; expected at most ",
    "misstate": "initial memory of -1 bytes; expected whole pages, at most 67108864",
}


@pytest.mark.parametrize("attack", FAULTS)
def test_an_answer_that_no_compiler_gives(
    engine: str, taken_over: TakenOver, tmp_path: Path, attack: str
) -> None:
    """One sentence names the fault; the code is refused by its length alone, and nothing is kept."""
    functions = write_functions(tmp_path / "functions", {"echo": ""})
    python = taken_over(at_compile=attack)

    ended = run_command(
        "compile",
        functions,
        "--engine",
        engine,
        "--worker-python",
        python,
        env={"XDG_CACHE_HOME": str(tmp_path)},
    )

    assert ended.code == 2
    assert f"the process that compiled it broke the protocol: {FAULTS[attack]}" in ended.stderr
    assert list((tmp_path / "wasm-grpc").glob("*.artifact")) == []
