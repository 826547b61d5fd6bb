"""Sessions with processes that break the rules: each ends, and says why."""

from __future__ import annotations

import asyncio
import os
import re

import pytest

from unit.pool.faults import FakeWorker, sent
from wasm_grpc.core.errors import CompileLimitError, ModelError, ProtocolError, WasmGrpcError
from wasm_grpc.core.model import GuestKind, Limits, Model, Runtime
from wasm_grpc.core.settings import make_settings
from wasm_grpc.core.wire import ForkJob, Inspected, Kind, Read, Resume, Resumed, pack
from wasm_grpc.pool.bases import Bases
from wasm_grpc.pool.compiler import compile_module
from wasm_grpc.pool.inspector import find_backend, inspect_model
from wasm_grpc.pool.session import ProcessEnded, Session

pytestmark = pytest.mark.asyncio

MODEL = Model(name="m", host="/m", size=1, sha256="s")


def is_gone(pid: int) -> bool:
    """Say whether a process was ended and reaped."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


async def start(bases: Bases, runtime: Runtime) -> Session:
    """Start a process."""
    return await bases.fork(runtime, ForkJob.WORKER, memory_bytes=0, body_limit=100)


async def test_leaving_a_session_ends_its_process(bases: Bases, fake_worker: FakeWorker) -> None:
    """However a session is left, its process is killed and reaped."""
    pids = []

    async def hold(session: Session, *, fails: bool) -> None:
        async with session:
            pids.append(session.process.pid)
            if fails:
                raise LookupError

    await hold(await start(bases, fake_worker()), fails=False)
    with pytest.raises(LookupError):
        await hold(await start(bases, fake_worker()), fails=True)

    assert list(map(is_gone, pids)) == [True, True]


async def test_a_message_that_does_not_come(bases: Bases, fake_worker: FakeWorker) -> None:
    """A wait ends at its deadline."""
    async with await start(bases, fake_worker()) as session:
        with pytest.raises(asyncio.TimeoutError):
            await session.receive(within_s=0.05)


async def test_a_process_that_ends(bases: Bases, fake_worker: FakeWorker) -> None:
    """Who waits for a message learns how the process ended instead."""
    async with await start(bases, fake_worker("--at-task=exit:7")) as session:
        session.send(Resumed())
        with pytest.raises(ProcessEnded, match="exit code 7") as caught:
            await session.receive()

    assert caught.value.code == 7


async def test_messages_in_their_order_and_a_broken_one(bases: Bases, fake_worker: FakeWorker) -> None:
    """What came before a frame that the wire does not allow is received, then the error that names it."""
    fault = sent(Read(5, 6), pack(Kind.LOADED, b'{"index":"1"}'))
    async with await start(bases, fake_worker(f"--at-task={fault}")) as session:
        session.send(Resumed())

        assert await session.receive() == Read(5, 6)
        with pytest.raises(ProtocolError, match=r"^LOADED frame: index: a string; expected an integer$"):
            await session.receive()


async def test_an_answer_that_is_none(bases: Bases, fake_worker: FakeWorker) -> None:
    """A message that does not answer the one that was sent is an error that names both."""
    answers = (Inspected, Read)
    async with await start(bases, fake_worker(f"--at-task={sent(Resume())}")) as session:
        with pytest.raises(ProtocolError, match=r"^RESUME frame: out of place; expected INSPECTED or READ$"):
            await session.ask(Resumed(), answers, within_s=5)


FAULTS = {
    "dies": (
        10,
        "exit:3",
        "compiling it ended the compile process (exit code 3); expected at most 2048 MiB of memory, "
        "which WASM_GRPC_COMPILE_BYTES raises",
        "crashed the process that tried it (exit code 3)",
    ),
    "hangs": (
        0.3,
        "pause",
        "compiling it took longer than 0.3 s; expected less, or more time by WASM_GRPC_COMPILE_S",
        "took longer than 0.3 s to run once",
    ),
    "answers otherwise": (
        10,
        sent(Resume()),
        "the process that compiled it broke the protocol: "
        "RESUME frame: out of place; expected COMPILED or COMPILE_REFUSED",
        "had the process that tried it break the protocol "
        "(RESUME frame: out of place; expected INSPECTED or INSPECT_REFUSED)",
    ),
    "says it takes more memory than there is": (
        10,
        sent(Inspected(backend="b", memory_bytes=1 << 60)),
        "the process that compiled it broke the protocol: "
        "INSPECTED frame: out of place; expected COMPILED or COMPILE_REFUSED",
        "takes 1152921504606846976 bytes, beyond the limit of the process that tried it",
    ),
}


@pytest.mark.parametrize(("compile_s", "fault", "compiling", "inspecting"), FAULTS.values(), ids=FAULTS)
async def test_a_compile_process_that_gives_no_answer(
    bases: Bases, fake_worker: FakeWorker, compile_s: float, fault: str, compiling: str, inspecting: str
) -> None:
    """Modules and models are refused with what became of the process that tried them."""
    runtime = fake_worker(f"--at-task={fault}")
    settings = make_settings({"compile_s": compile_s, "compile_bytes": 2 << 30})

    with pytest.raises(CompileLimitError, match=f"^{re.escape(compiling)}$"):
        await compile_module(
            b"wasm",
            guest=GuestKind.WASI_COMMAND,
            limits=Limits(),
            code_memory_bytes=0,
            runtime=runtime,
            bases=bases,
            settings=settings,
        )
    with pytest.raises(ModelError, match=f"^{re.escape(inspecting)}$"):
        await inspect_model(MODEL, runtime, bases, settings)
    if "takes" not in inspecting:
        with pytest.raises(WasmGrpcError, match=re.escape(inspecting)):
            await find_backend(runtime, bases, settings)
