"""The function `events` behind a real sidecar, with its state in Redis."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import pytest

from end_to_end.dapr_app import APP_ID, run_dapr_app

__all__ = []

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]

EVENTS = Path(__file__).resolve().parents[2] / "functions" / "events"
ONE_AT_A_TIME = "max = 1 "


async def test_concurrent_reports(engine: str, cache_environment: dict[str, str], tmp_path: Path) -> None:
    """Guests that write the key at the same time, as those of several servers do, lose no report."""
    function = tmp_path / "functions" / "events"
    shutil.copytree(EVENTS, function)
    manifest = (function / "function.toml").read_text()
    assert ONE_AT_A_TIME in manifest
    (function / "function.toml").write_text(manifest.replace(ONE_AT_A_TIME, "max = 4 "))

    async with run_dapr_app(function, tmp_path, "--engine", engine, env=cache_environment) as app:
        reports = [
            app.sidecar.invoke(
                APP_ID, "create_event", json.dumps({"op_type": "x", "input_size": number}).encode()
            )
            for number in range(40)
        ]
        replies = await asyncio.gather(*reports)
        found = json.loads((await app.sidecar.invoke(APP_ID, "events", verb="GET")).body)
        emptied = await app.sidecar.invoke(APP_ID, "init", verb="GET")
        empty = json.loads((await app.sidecar.invoke(APP_ID, "events", verb="GET")).body)
        refused = "ABORTED" in "\n".join(app.server.process.stderr.lines)

    assert [(reply.status, json.loads(reply.body)) for reply in replies] == [(200, {"status": True})] * 40
    assert found["counts"] == {"x": 40}
    assert {event["input_size"] for event in found["events"]} == set(range(40))
    assert refused  # or nothing was tested
    assert (emptied.status, empty) == (200, {"events": [], "counts": {}})
