"""Workers and templates that were taken over, and leave processes behind, die or name others'."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest

from hostile.conftest import StartHostile
from integration.client import connect
from integration.conftest import StartServer
from integration.guests import write_functions
from integration.processes import children, resident_bytes, settled, until, worker_pids
from rig import Server
from wasm_grpc.core.model import MIB

__all__: list[str] = []

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]


@pytest.mark.parametrize("how", ["group", "session", "stay"])
async def test_a_worker_that_leaves_a_process_behind(
    start_hostile: StartHostile, tmp_path: Path, how: str
) -> None:
    """
    Whatever group or session it is in: its call fails at once, others don't, and a drain ends it all.

    Where there is seccomp, no worker can make a process.
    """
    functions = write_functions(tmp_path / "functions", {"echo": ""})
    async with (
        start_hostile(functions, "--workers", "1", without="seccomp") as server,
        connect(server.address) as caller,
    ):
        usual = len(await settled(server.process.pid, 2)) + 2
        begun_s = time.monotonic()
        failure = await caller.fail("echo", query=f"fork={how}")
        replies = [await caller.invoke("echo", b"next") for _ in range(3)]
        took_s = time.monotonic() - begun_s
        await until(lambda: len(children(server.process.pid)) == usual, "the end of what was left behind")
        server.process.signal(signal.SIGTERM)
        code = await server.process.wait(timeout_s=5)

    assert failure.message == "function 'echo': its worker died while running it (exit code 0)"
    assert [reply.body for reply in replies] == [b"next"] * 3
    assert took_s < 1
    assert code == 0


async def test_a_worker_that_leaves_a_process_behind_and_serves_on(
    start_hostile: StartHostile, tmp_path: Path
) -> None:
    """What a worker that lives has put into another session is ended too."""
    functions = write_functions(tmp_path / "functions", {"echo": ""})
    async with (
        start_hostile(functions, "--workers", "1", without="seccomp") as server,
        connect(server.address) as caller,
    ):
        usual = len(await settled(server.process.pid, 2)) + 2
        reply = await caller.invoke("echo", query="fork-and-answer")
        await until(lambda: len(children(server.process.pid)) == usual, "the end of what was left behind")

    assert reply.body == b"done"


async def test_a_template_that_names_another_process(start_hostile: StartHostile, tmp_path: Path) -> None:
    """A template that answers FORK with the id of another process is replaced, and that process left alone."""
    functions = write_functions(tmp_path / "functions", {"echo": ""})
    async with start_hostile(functions, "--workers", "1", at_fork="name-another") as server:
        async with connect(server.address) as caller:
            reply = await caller.invoke("echo", b"next")
        await settled(server.process.pid, 2)

    assert reply.body == b"next"
    assert any("a template ended while it forked" in line for line in server.process.stderr.lines)


async def test_a_template_that_floods(start_hostile: StartHostile, tmp_path: Path) -> None:
    """Answers that nobody asked for take no memory, and hold up no call."""
    functions = write_functions(tmp_path / "functions", {"echo": ""})
    async with (
        start_hostile(functions, "--workers", "1", at_fork="flood-answers") as server,
        connect(server.address) as caller,
    ):
        await caller.invoke("echo")
        before = resident_bytes(server.process.pid)
        for _ in range(20):
            await asyncio.sleep(0.1)
            assert (await caller.invoke("echo", b"next", timeout_s=1)).body == b"next"
        grown = resident_bytes(server.process.pid) - before

    assert grown < 8 * MIB


async def test_workers_that_die_once_they_have_loaded(start_hostile: StartHostile, tmp_path: Path) -> None:
    """They are started ever more slowly, and one line says so; the server answers what needs no worker."""
    functions = write_functions(tmp_path / "functions", {"echo": ""})
    async with start_hostile(functions, "--workers", "1", at_start="die") as server:
        await asyncio.sleep(5)
        ends = [line for line in server.process.stderr.lines if "ended with signal SIGKILL" in line]
        slower = [line for line in server.process.stderr.lines if "started ever more slowly" in line]
        health_s = await _health_s(server)

    assert len(ends) <= 16
    assert len(slower) == 1
    assert health_s < 0.5


async def _health_s(server: Server) -> float:
    async with connect(server.address) as caller:
        await caller.check_health()
        begun_s = time.monotonic()
        await caller.check_health()
        return time.monotonic() - begun_s


async def test_all_workers_die_at_once(start_server: StartServer, tmp_path: Path) -> None:
    """The next call is answered as soon as a worker is forked, also where those that have just started die too."""
    functions = write_functions(tmp_path / "functions", {"echo": ""})
    async with start_server(functions, "--workers", "2") as server, connect(server.address) as caller:
        await settled(server.process.pid, 3)
        for _ in range(4):
            for pid in worker_pids(server.process.pid):
                os.kill(pid, signal.SIGKILL)
            begun_s = time.monotonic()
            await caller.invoke("echo", b"next")

            # It takes some 0.02 s.
            assert time.monotonic() - begun_s < 0.8
