"""Workers that were taken over, and write to the log what isn't so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hostile.conftest import StartHostile
from integration.client import connect
from integration.guests import write_function, write_functions
from integration.processes import until

__all__: list[str] = []

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]

LINE = re.compile(r"\d\d:\d\d:\d\d (INFO|WARNING|ERROR) .*")


async def test_what_a_worker_prints_and_says(start_hostile: StartHostile, tmp_path: Path) -> None:
    """Each line of the log is the server's: none is forged, too long or steers a terminal."""
    functions = write_functions(tmp_path / "functions", {"echo": '[limits]\ntimeout = "15s"\n'})
    write_function(functions, "refused", guest="echo", sections="[pool]\nmin = 0\n")
    async with (
        start_hostile(functions, "--workers", "1", at_load="fail-to-load") as server,
        connect(server.address) as caller,
    ):
        log = server.process.stderr.lines
        await caller.invoke("echo", query="print")
        failure = await caller.fail("refused", timeout_s=15)
        await until(lambda: sum("forged" in line for line in log) >= 2, "both lines")
        lines = list(log)

    assert failure.reason == "CRASHED"
    assert [line for line in lines if not LINE.fullmatch(line) or not line.isprintable()] == []
    assert [line for line in lines if line.startswith("10:00:00")] == []
    assert max(map(len, lines)) < 9000
