"""Templates over fake workers: which process loads what, and when a template is replaced."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from unit.pool.faults import FakeWorker, function, open_pool
from wasm_grpc.core.model import (
    MIB,
    EngineName,
    GuestKind,
    Invocation,
    Outcome,
    Reason,
    Runtime,
    WorkerFunction,
)
from wasm_grpc.core.settings import make_settings
from wasm_grpc.core.wire import ForkJob, Load, LoadFailed
from wasm_grpc.pool.children import Children
from wasm_grpc.pool.pool import Pool
from wasm_grpc.pool.template import Template

pytestmark = pytest.mark.asyncio

SETTINGS = make_settings({"workers": 1, "max_workers": 1})


async def pids(pool: Pool, name: str = "f") -> tuple[int, int]:
    """Return the process that has loaded a function, and the one that runs it."""
    outcome = await pool.invoke(Invocation(id="1", function=name, body=b""))
    loader, worker = map(int, outcome.body.split())
    return loader, worker


async def new_worker(pool: Pool, last: int, name: str = "f") -> tuple[int, int]:
    """Kill the worker that ran last, and return what `pids` does once another one runs."""
    os.kill(last, signal.SIGKILL)
    while (found := await pids(pool, name))[1] == last:
        await asyncio.sleep(0)
    return found


async def test_a_function_is_loaded_once(fake_worker: FakeWorker) -> None:
    """All workers have what their template has loaded."""
    async with open_pool([function(fake_worker("--answer=loader"), in_advance=1)], SETTINGS) as pool:
        first = await pids(pool)
        second = await new_worker(pool, first[1])

    assert first[0] == second[0]
    assert len({first[0], first[1], second[1]}) == 3


async def test_a_function_that_is_loaded_later(fake_worker: FakeWorker) -> None:
    """The worker that is called first loads it, then the template too: a later worker need not."""
    functions = [function(fake_worker("--answer=loader"), in_advance=0)]
    async with open_pool(functions, SETTINGS) as pool:
        loader, worker = await pids(pool)
        later = await new_worker(pool, worker)

    assert loader == worker
    assert later[0] not in {worker, later[1]}


async def test_a_function_that_only_templates_die_of(fake_worker: FakeWorker) -> None:
    """It is blocked after two of them, although each worker in between loads it."""
    runtime = fake_worker("--answer=loader", "--at-load=kill", "--at-load-in=template")
    invocation = Invocation(id="1", function="f", body=b"")
    async with open_pool([function(runtime)], SETTINGS) as pool:
        outcome = await pool.invoke(invocation)
        while outcome.reason is Reason.OK:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(outcome.body.split()[1]), signal.SIGKILL)
            outcome = await pool.invoke(invocation)

    assert outcome == Outcome(
        reason=Reason.UNAVAILABLE,
        message="it can't be loaded: its worker died while loading it (signal SIGKILL)",
    )


async def test_a_function_whose_model_has_threads(fake_worker: FakeWorker) -> None:
    """No thread survives a fork: each worker loads it for itself, in advance."""
    runtime = fake_worker("--answer=loader")
    functions = [function(runtime, in_advance=1), function(runtime, "g", in_advance=1, threads=2)]
    async with open_pool(functions, SETTINGS) as pool:
        one, threaded = await pids(pool), await pids(pool, "g")

    assert [each.is_forkable for each in functions] == [True, False]
    assert one[0] != one[1]
    assert threaded[0] == threaded[1]


async def test_an_old_template_is_replaced(fake_worker: FakeWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    """After so many forks the next workers come from another template, of another base; no call fails."""
    # The template's own fork counts too.
    monkeypatch.setattr("wasm_grpc.pool.template._FORKS", 3)
    async with open_pool([function(fake_worker("--answer=loader"), in_advance=1)], SETTINGS) as pool:
        templates = {(found := await pids(pool))[0]}
        while len(templates) < 3:
            # The old one serves until the new one has loaded its functions.
            found = await new_worker(pool, found[1])
            templates.add(found[0])

    assert found[0] != found[1]


async def test_more_late_functions_than_are_blocked_at_once(
    fake_worker: FakeWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A template comes up although the first function is no longer blocked when the last one is late."""
    monkeypatch.setattr("wasm_grpc.pool.blame.LOAD_S", 0.2)
    monkeypatch.setattr("wasm_grpc.pool.blame.BLOCKED_S", 0.3)
    runtime = fake_worker("--at-load=pause")
    functions = [function(runtime, name, in_advance=1) for name in ("f", "g", "h", "i")]
    async with open_pool(functions, SETTINGS) as pool:
        outcome = await pool.invoke(Invocation(id="1", function="f", body=b""))

    assert outcome.message == "it can't be loaded: its worker took longer than 0.2 s to load it"


async def test_a_template_that_can_not_fork(
    fake_worker: FakeWorker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A template that hangs instead of forking is ended, and the next one tried."""
    monkeypatch.setattr("wasm_grpc.pool.template._FORK_S", 0.2)
    runtime = fake_worker("--answer=loader", f"--once={tmp_path / 'mark'}", "--at-fork=pause")
    async with open_pool([function(runtime, in_advance=1)], SETTINGS) as pool:
        loader, worker = await pids(pool)

    assert loader != worker


@pytest.fixture
def prober(tmp_path: Path) -> Runtime:
    """Return a runtime whose processes are real but for what they load: see its module."""
    launcher = tmp_path / "prober"
    program = Path(__file__).parent / "prober.py"
    path = os.pathsep.join(path for path in sys.path if path)
    launcher.write_text(f'#!/bin/sh\nPYTHONPATH="{path}" exec "{sys.executable}" "{program}" "$@"\n')
    launcher.chmod(0o755)
    return Runtime(EngineName.FAKE, str(launcher))


@pytest.mark.skipif(sys.platform != "linux", reason="it is the Linux kernel that confines")
async def test_what_a_forked_worker_is_confined_to(prober: Runtime, tmp_path: Path) -> None:
    """Seen from inside: its sandbox, its limits and its environment are those of a worker; nothing leaks in."""
    base = await Template.start(prober, Children())
    template = await base.fork_template(memory_bytes=64 * MIB)
    one, two = [await template.fork(ForkJob.WORKER, body_limit=MIB) for _ in range(2)]
    try:
        function = WorkerFunction(
            name=str(template.session.process.pid),
            guest=GuestKind.WASI_COMMAND,
            artifact=str(tmp_path),
            digest="",
        )
        findings = []
        for worker in (one, two):
            answer = await worker.ask(Load(0, function), (LoadFailed, LoadFailed), within_s=10)
            findings.append(json.loads(answer.error))
            threads = len(list(Path(f"/proc/{worker.process.pid}/task").iterdir()))
            findings[-1]["threads"] = threads
    finally:
        for process in (one.process, two.process):
            await process.end()
        await template.end()
        await base.end()

    for found, worker in zip(findings, (one, two), strict=True):
        assert found["pid"] == worker.process.pid
        assert found["parent"] == os.getpid()
        assert found["threads"] == 1
        assert set(found["environment"]) - {"PWD", "PYTHONPATH"} <= {
            "PATH",
            "LANG",
            "LC_ALL",
            "LC_CTYPE",
            "LD_LIBRARY_PATH",
            "TMPDIR",
        }
        assert found["core_bytes"] == [0, 0]
        assert found["open_files"] == [256, 256]
        # What it may take is what it was given, on top of what the interpreter and the engine hold.
        assert 64 * MIB <= found["data_bytes"][1] <= 64 * MIB + 128 * MIB
        assert found["memory"] == "refused"
        assert found["descriptors"] == ["device", "device", "file", "pipe", "socket"]
        assert found["write"] == "refused"
        assert found["signal_to_template"] == "refused"
    assert findings[0]["random"] != findings[1]["random"]
