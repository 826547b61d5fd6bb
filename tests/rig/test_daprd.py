"""The rig's sidecar, alone; with our server it is met in `end_to_end`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rig import ChildError, Daprd

pytestmark = pytest.mark.asyncio


async def test_a_sidecar_answers_and_ends(tmp_path: Path) -> None:
    """A sidecar without an app is ready when entered, knows its id, logs to its file and ends by itself."""
    async with Daprd(app_id="alone", folder=tmp_path, api_token="secret") as sidecar:  # noqa: S106
        await sidecar.app_ready()
        about = await sidecar.request("GET", "/v1.0/metadata")

    assert json.loads(about.body)["id"] == "alone"
    assert sidecar.process.exit_code == 0
    assert "dapr initialized" in sidecar.log_file.read_text()


async def test_names_are_found_in_the_shared_folder(tmp_path: Path) -> None:
    """A sidecar finds another one of its folder, and fails fast for a name that is nowhere."""
    async with Daprd(app_id="a", folder=tmp_path), Daprd(app_id="b", folder=tmp_path) as b:
        found = await b.invoke("a", "echo")
        unknown = await b.invoke("c", "echo")

    assert b"app channel" in found.body  # it was asked, and has no app
    assert json.loads(unknown.body) == {
        "errorCode": "ERR_DIRECT_INVOKE",
        "message": "failed to invoke, id: c, err: no host found with the given ID",
    }


async def test_a_sidecar_that_ends_at_once_shows_its_log(tmp_path: Path) -> None:
    """What daprd said before it ended is in the error."""
    with pytest.raises(ChildError, match=r"(?s)exit code 2 before .*unknown flag: --no-such-flag"):
        async with Daprd(app_id="broken", folder=tmp_path, arguments=["--no-such-flag"]):
            pass
