"""`wasm-grpc demo`: the page, its functions and their sidecars, of which nothing is left behind."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from end_to_end.pictures import DIGIT, digit, encoded, grey_difference, sample
from rig import Child, child, find_daprd, installed_command, need
from rig.environment import clean_environment
from wasm_grpc.web.sample import sample_png

__all__ = []

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]

FUNCTIONS = Path(__file__).resolve().parents[2] / "functions"
BIN = Path(sys.executable).parent


def with_daprd() -> dict[str, str]:
    """Return the environment of a person who has daprd, and curl to try it."""
    daprd = need(find_daprd(), "no daprd: tests/daprd/build makes one with Go, or DAPRD names one")
    curl = need(shutil.which("curl"), "no curl: Debian's package curl has it")
    return {"DAPRD": str(daprd), "PATH": f"{BIN}{os.pathsep}{Path(curl).parent}"}


def without_daprd() -> dict[str, str]:
    """Return the environment of a person who has nothing but our command."""
    return {"DAPRD": "", "PATH": f"{BIN}{os.pathsep}{Path(shutil.which('sh') or '/bin/sh').parent}"}


ENVIRONMENTS = {"daprd": with_daprd, "our own": without_daprd}


def session_members(session: int) -> list[int]:
    """Return the processes of a session, whoever started them."""
    members = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # After the name: state, parent, group, session.
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            members.append(int(stat.parent.name))
    return members


async def ended_by_ctrl_c(demo: Child) -> int:
    """Send what a terminal sends: SIGINT to the whole group."""
    os.killpg(demo.pid, signal.SIGINT)
    return await demo.wait(timeout_s=20)


async def hello(page: str, api: str, picture: bytes) -> tuple[int, str, bytes]:
    """Send a picture as the page does."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{page}/api/hello", data=picture, headers={"api": api}) as response,
    ):
        return response.status, response.content_type, await response.read()


async def events(page: str) -> dict[str, Any]:
    """Read the last calls as the page does."""
    async with aiohttp.ClientSession() as session, session.get(f"{page}/api/events") as response:
        assert response.status == 200, await response.text()
        answer: dict[str, Any] = await response.json()
        return answer


@pytest.mark.parametrize("through", ENVIRONMENTS)
async def test_the_demo(through: str, cache_environment: dict[str, str], tmp_path: Path) -> None:
    """
    Through real sidecars and through our own, both functions answer, and are listed by the events service.

    What it says to try works, and Ctrl-C ends all.
    """
    env = clean_environment({**cache_environment, **ENVIRONMENTS[through](), "HOME": str(tmp_path)})
    photo = sample()

    async with child(installed_command(), "demo", FUNCTIONS, "--port", "0", env=env, cwd=tmp_path) as demo:
        page = (await demo.line(r"^page (http://127\.0\.0\.1:\d+)$", timeout_s=40))[1]
        grey = await hello(page, "grayscale", encoded(photo, "PNG"))
        read = await hello(page, "classify", digit())
        reported = await events(page)
        said = "\n".join(demo.stderr.lines)
        command = re.findall(r"^try (.+)$", said, re.MULTILINE)[0]
        async with child("sh", "-c", command, env=env, cwd=tmp_path) as tried:
            tried_code = await tried.wait(timeout_s=10)
        code = await ended_by_ctrl_c(demo)
        left = session_members(demo.pid)
        printed = demo.stdout.lines

    assert grey[:2] == (200, "image/png")
    assert grey_difference(grey[2], encoded(photo, "PNG")) == 0
    assert read[:2] == (200, "application/json")
    assert json.loads(read[2])["labels"][0]["label"] == DIGIT
    assert reported["counts"] == {"grayscale": 1, "classify": 1}
    assert [(event["op_type"], event["output_size"]) for event in reported["events"]] == [
        ("classify", len(read[2])),
        ("grayscale", len(grey[2])),
    ]
    assert tried_code == 0
    assert grey_difference((tmp_path / "grey.png").read_bytes(), sample_png()) == 0
    target = r"http://127\.0\.0\.1:\d+/v1\.0/invoke/image-api-grayscale/method/api/image"
    assert re.search(rf" {target if through == 'daprd' else f'{page}/api/hello'} -o grey\.png$", command)
    assert printed == [f"page {page}"]
    assert (code, left) == (0, [])


async def test_a_port_that_is_taken(cache_environment: dict[str, str], tmp_path: Path) -> None:
    """The demo says which port is taken before it starts anything."""
    env = clean_environment({**cache_environment, **without_daprd(), "HOME": str(tmp_path)})
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with child(
            installed_command(), "demo", FUNCTIONS, "--port", str(port), env=env, cwd=tmp_path
        ) as demo:
            code = await demo.wait(timeout_s=20)

    assert (code, demo.stdout.lines) == (1, [])
    assert demo.stderr.lines == [
        f"wasm-grpc demo: port {port}: in use; expected a free one (--port, 0 takes any)"
    ]
    assert not (tmp_path / "demo-output").exists()
