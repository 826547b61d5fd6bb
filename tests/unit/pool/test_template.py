"""Templates over fake workers, used by several at once: each answers, or says that it has ended."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import sys
from functools import partial
from pathlib import Path

import pytest

from unit.pool.faults import FakeWorker
from wasm_grpc.core.errors import WorkerStartError
from wasm_grpc.core.model import MIB, GuestKind, WorkerFunction
from wasm_grpc.core.wire import ForkJob, Load, Loaded, Message
from wasm_grpc.pool.bases import Bases
from wasm_grpc.pool.child import become_subreaper
from wasm_grpc.pool.children import Children
from wasm_grpc.pool.session import ProcessEnded, Session
from wasm_grpc.pool.template import Template, TemplateEnded

pytestmark = pytest.mark.asyncio

LOAD = Load(0, WorkerFunction(name="f", guest=GuestKind.WASI_COMMAND, artifact="artifact", digest=""))


@pytest.fixture(autouse=True)
def subreaper() -> None:
    """Adopt what templates fork, as `Bases` does."""
    become_subreaper()


def open_descriptors() -> list[str]:
    """Return what this process has open, but for the listing itself."""
    links = (path for path in Path("/proc/self/fd").iterdir() if path.is_symlink())
    return sorted(str(path.readlink()) for path in links)


def children() -> set[int]:
    """Return the children of this process, those among them that nobody has waited for."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The name before it, in parentheses, may have spaces.
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
    return {pid for pid, parent in parents.items() if parent == os.getpid()}


def kill(session: Session, _: Message) -> None:
    """End a worker for what it sent."""
    session.process.kill()


async def fork(template: Template) -> Session:
    """Fork a worker."""
    return await template.fork(ForkJob.WORKER, body_limit=MIB)


async def test_what_it_has_loaded_is_not_loaded_again(fake_worker: FakeWorker) -> None:
    """Workers that load a function at the same time ask their template for it once each."""
    template = await Template.start(fake_worker(), Children())
    first = await template.load(0, LOAD, within_s=10)
    os.kill(template.session.process.pid, signal.SIGSTOP)
    second = await template.load(0, LOAD, within_s=0.5)
    await template.end()

    assert (first, second) == (Loaded(0), Loaded(0))


async def test_a_template_that_retires_answers_first(fake_worker: FakeWorker) -> None:
    """What was asked of it before is done: no fork and no load fails because it is replaced."""
    template = await Template.start(fake_worker(), Children())
    forks = [asyncio.ensure_future(fork(template)) for _ in range(2)]
    load = asyncio.ensure_future(template.load(0, LOAD, within_s=10))
    # Each has asked, or waits for its turn.
    await asyncio.sleep(0)
    await template.retire()
    sessions = await asyncio.gather(*forks)

    assert await load == Loaded(0)
    for session in sessions:
        await session.process.end()


async def test_a_template_that_ends_while_others_wait(fake_worker: FakeWorker) -> None:
    """Each that waits for its turn learns that the template has ended, and not that the kernel can't fork."""
    template = await Template.start(fake_worker("--at-fork=exit:7"), Children())
    first = asyncio.ensure_future(fork(template))
    others = [
        asyncio.ensure_future(fork(template)),
        asyncio.ensure_future(template.load(0, LOAD, within_s=1)),
    ]

    with pytest.raises(ProcessEnded, match="exit code 7"):
        await first
    await template.end()
    for each in others:
        with pytest.raises(TemplateEnded, match="exit code 7"):
            await each


@pytest.mark.skipif(sys.platform != "linux", reason="/proc shows the children")
@pytest.mark.parametrize("is_base", [True, False], ids=["base", "template"])
async def test_a_template_that_is_killed_amid_a_fork(
    fake_worker: FakeWorker, tmp_path: Path, *, is_base: bool
) -> None:
    """The processes that it has forked by then, which the server does not know, are ended and reaped."""
    mark = tmp_path / "mark"
    mark.touch()
    before = await asyncio.to_thread(children)
    base = await Template.start(fake_worker("--amid-fork=kill", f"--once={mark}"), Children())
    template = await base.fork_template(memory_bytes=MIB)
    mark.unlink()

    with pytest.raises(ProcessEnded):
        await fork(base if is_base else template)
    await template.end()
    await base.end()

    assert await asyncio.to_thread(children) == before


@pytest.mark.parametrize("fault", ["--at-start=kill", "--at-engine=kill"])
async def test_a_base_that_is_killed_while_it_starts(
    bases: Bases, fake_worker: FakeWorker, tmp_path: Path, fault: str
) -> None:
    """Somebody killed it, which says nothing of the interpreter: another one is started."""
    opened = await bases.open(fake_worker(fault, f"--once={tmp_path / 'mark'}"))

    assert opened.python == "P 1"


async def test_bases_that_are_killed_again_and_again(bases: Bases, fake_worker: FakeWorker) -> None:
    """After a few of them the caller is told how the last one ended."""
    with pytest.raises(WorkerStartError, match="ended with signal SIGKILL before it said hello"):
        await bases.open(fake_worker("--at-start=kill"))


async def test_a_base_that_grows_old_among_many_forks(
    bases: Bases, fake_worker: FakeWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each base serves those that have asked it, however many compile at once when it is replaced."""
    monkeypatch.setattr("wasm_grpc.pool.template._FORKS", 3)
    runtime = fake_worker()

    async def fork_some() -> None:
        for _ in range(4):
            async with await bases.fork(runtime, ForkJob.COMPILER, memory_bytes=0, body_limit=MIB):
                pass

    await asyncio.gather(*(fork_some() for _ in range(4)))


@pytest.mark.skipif(sys.platform != "linux", reason="/proc shows the descriptors")
async def test_a_process_that_ended_leaves_no_descriptor(bases: Bases, fake_worker: FakeWorker) -> None:
    """Whatever the server held for it is closed once it is reaped, before any collection of garbage."""
    runtime = fake_worker()
    await bases.open(runtime)
    gc.collect()
    gc.disable()
    try:
        before = open_descriptors()
        for _ in range(3):
            async with await bases.fork(runtime, ForkJob.WORKER, memory_bytes=0, body_limit=MIB) as session:
                # As in the pool, where the receiver knows the session.
                session.connection.on_message(partial(kill, session))
        # The transports close their sockets on the loop's next turn.
        await asyncio.sleep(0)
        after = open_descriptors()
    finally:
        gc.enable()

    assert after == before
