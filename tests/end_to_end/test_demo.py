"""`wasm-grpc demo`: it shows a grey picture and what to try next, and leaves nothing behind."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import sys
from pathlib import Path

import pytest

from end_to_end.pictures import grey_difference
from rig import Child, child, find_daprd, installed_command, need
from rig.environment import clean_environment

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
    return {"DAPRD": "", "PATH": str(BIN)}


ENVIRONMENTS = {"daprd": with_daprd, "the server itself": without_daprd}


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


@pytest.mark.parametrize("through", ENVIRONMENTS)
async def test_the_demo(through: str, cache_environment: dict[str, str], tmp_path: Path) -> None:
    """Through daprd, and without one, it shows a grey picture and a digit that is read; Ctrl-C ends all."""
    env = clean_environment({**cache_environment, **ENVIRONMENTS[through](), "HOME": str(tmp_path)})

    async with child(installed_command(), "demo", FUNCTIONS, "--port", "0", env=env, cwd=tmp_path) as demo:
        sample = tmp_path / (await demo.line(r"^picture\s+(\S+)$", timeout_s=40))[1]
        grey = tmp_path / (await demo.line(r"^grey\s+(\S+)$", timeout_s=5))[1]
        shown = grey_difference(grey.read_bytes(), sample.read_bytes())
        grey.unlink()
        read = (await demo.line(r"^read\s+(.+)$", timeout_s=20))[1]
        command = (await demo.line(r"^try\s+(.+)$", timeout_s=5))[1]
        async with child(*shlex.split(command), env=env, cwd=tmp_path) as tried:
            tried_code = await tried.wait(timeout_s=10)
        tried_shown = grey_difference(grey.read_bytes(), sample.read_bytes())
        code = await ended_by_ctrl_c(demo)
        left = session_members(demo.pid)

    assert (shown <= 2, tried_shown <= 2, tried_code) == (True, True, 0)
    assert read == "The picture very likely shows 7."
    assert (code, left) == (0, [])
    assert command.startswith("curl" if through == "daprd" else "wasm-grpc invoke")
