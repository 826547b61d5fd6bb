"""Workers that are forked from templates: what they share, what they must not, and what a template's end costs."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from integration.client import Caller, connect
from integration.conftest import StartServer
from integration.guests import write_function
from integration.processes import process_pids, settled, until, worker_pids
from rig import Server

pytestmark = pytest.mark.asyncio

REPOSITORY = Path(__file__).parents[2]


@pytest_asyncio.fixture
async def server(start_server: StartServer, tmp_path: Path) -> AsyncIterator[Server]:
    """Serve on one run slot."""
    functions = tmp_path / "functions"
    write_function(functions, "echo", guest="echo", sections="[pool]\nmin = 1\n")
    write_function(functions, "spin", guest="spin", sections='[limits]\ntimeout = "200ms"\n')
    async with start_server(functions, "--workers", "1") as running:
        await settled(running.process.pid, 2)
        yield running


@pytest_asyncio.fixture
async def caller(server: Server) -> AsyncIterator[Caller]:
    """Open a channel to the server."""
    async with connect(server.address) as channel:
        yield channel


def status(pid: int, field: str) -> str:
    """Return a field of /proc/<pid>/status."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line.split(":", 1)[1].strip() for line in lines if line.startswith(field + ":"))


async def test_a_template_has_one_thread(start_server: StartServer) -> None:
    """
    With each function of the repository loaded, a model among them: a fork copies one thread only.

    There is the base, the template of what workers share, and that of the function that has a model.
    """
    async with start_server(REPOSITORY / "functions") as server:
        templates = process_pids(server.process.pid, "wasm-template")

        assert [status(pid, "Threads") for pid in templates] == ["1"] * 3


async def test_workers_are_children_of_the_server(server: Server) -> None:
    """The server waits for them, and the kernel ends them with the server, whatever becomes of a template."""
    pids = worker_pids(server.process.pid)

    assert [status(pid, "PPid") for pid in pids] == [str(server.process.pid)] * 2


async def test_templates_that_are_killed(server: Server, caller: Caller) -> None:
    """Their workers live on, and the next worker comes from new ones."""
    pid = server.process.pid
    templates, workers = process_pids(pid, "wasm-template"), worker_pids(pid)
    for template in templates:
        os.kill(template, signal.SIGKILL)
    await until(lambda: not process_pids(pid, "wasm-template"), "the templates' end")

    assert worker_pids(pid) == workers
    assert (await caller.invoke("echo", b"1")).body == b"1"
    await caller.fail("spin")
    await until(lambda: len(worker_pids(pid)) == 2, "a worker in its place")
    assert (await caller.invoke("echo", b"2")).body == b"2"
    assert len(process_pids(pid, "wasm-template")) == 2
