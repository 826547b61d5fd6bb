"""The pool over worker processes that break the rules; those that keep them are in `integration`."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import socket
import struct
import sys
from pathlib import Path

import pytest

from unit.pool.faults import FakeWorker, function, open_pool, sent
from wasm_grpc import __version__
from wasm_grpc.core.errors import InvocationError, WasmGrpcError, WorkerStartError
from wasm_grpc.core.model import (
    EngineName,
    Invocation,
    Limits,
    Outcome,
    Reason,
    Runtime,
)
from wasm_grpc.core.observers import (
    Event,
    InvocationFinished,
    InvocationQueued,
    InvocationStarted,
    Observers,
    WorkerLost,
    WorkerStarted,
)
from wasm_grpc.core.settings import Settings, make_settings
from wasm_grpc.core.wire import (
    WIRE_VERSION,
    Kind,
    Loaded,
    Output,
    Result,
    Resume,
    pack,
)
from wasm_grpc.pool.children import Children
from wasm_grpc.pool.process import WorkerProcess
from wasm_grpc.pool.template import Template

pytestmark = pytest.mark.asyncio

INVOCATION = Invocation(id="1", function="f", body=b"body")
OK = Outcome(reason=Reason.OK, body=b"body")


@pytest.fixture
def one_slot() -> Settings:
    """Return settings with one run slot and one process."""
    return make_settings({"workers": 1, "max_workers": 1})


async def test_an_invocation_and_its_outcome(fake_worker: FakeWorker, one_slot: Settings) -> None:
    """A worker that keeps the rules answers one invocation after the other."""
    async with open_pool([function(fake_worker())], one_slot) as pool:
        outcomes = await asyncio.gather(*(pool.invoke(INVOCATION) for _ in range(5)))

    assert outcomes == [OK] * 5


@pytest.mark.parametrize(
    "fault",
    ["exit:0", "kill"],
    ids=["exits", "is killed"],
)
async def test_a_worker_that_is_dead_before_it_begins(
    fake_worker: FakeWorker, one_slot: Settings, tmp_path: Path, fault: str
) -> None:
    """An invocation whose worker died before it began it is no failure: the next worker takes it."""
    runtime = fake_worker(f"--once={tmp_path / 'mark'}", f"--at-load={fault}")

    async with open_pool([function(runtime)], one_slot) as pool:
        assert await pool.invoke(INVOCATION) == OK


async def test_a_worker_that_takes_too_much_memory(
    fake_worker: FakeWorker, one_slot: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is ended, and its caller learns how much it took, the limit, and what raises it."""
    monkeypatch.setattr("wasm_grpc.pool.workers.held_bytes", lambda _: 4 << 30)

    async with open_pool([function(fake_worker("--at-invoke=pause"))], one_slot) as pool:
        outcome = await pool.invoke(INVOCATION)

    assert outcome == Outcome(
        reason=Reason.WORKER_MEMORY,
        message="its worker grew to 4096 MiB; expected at most 728 MiB, which WASM_GRPC_WORKER_BYTES raises",
    )


async def test_a_function_that_kills_whoever_loads_it(fake_worker: FakeWorker, one_slot: Settings) -> None:
    """After two workers died of it the function is unavailable, with the reason."""
    async with open_pool([function(fake_worker("--at-load=exit:7"))], one_slot) as pool:
        outcome = await pool.invoke(INVOCATION)

    assert outcome == Outcome(
        reason=Reason.UNAVAILABLE,
        message="it can't be loaded: its worker died while loading it (exit code 7)",
    )


@pytest.mark.parametrize("prepared", [0, 1], ids=["at its first call", "ahead"])
@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("exit:7", "its worker died while loading it (exit code 7)"),
        ("pause", "its worker took longer than 0.3 s to load it"),
    ],
    ids=["dies", "hangs"],
)
async def test_a_function_that_can_not_be_loaded_is_alone(
    fake_worker: FakeWorker, monkeypatch: pytest.MonkeyPatch, fault: str, reason: str, prepared: int
) -> None:
    """A function whose loading ends or holds up workers is refused; its neighbours are served."""
    monkeypatch.setattr("wasm_grpc.pool.blame.LOAD_S", 0.3)
    runtime = fake_worker("--at-load-of=f", f"--at-load={fault}")
    functions = [function(runtime, name=name, in_advance=prepared) for name in ("e", "f", "g")]

    async with open_pool(functions, make_settings({"workers": 2, "max_workers": 4})) as pool:
        outcomes = [await pool.invoke(dataclasses.replace(INVOCATION, function=name)) for name in "efgefgefg"]

    refused = Outcome(reason=Reason.UNAVAILABLE, message=f"it can't be loaded: {reason}")
    assert outcomes == [OK, refused, OK] * 3


async def test_a_result_that_crosses_the_kill(
    fake_worker: FakeWorker, one_slot: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that is being killed gets no other invocation, though it has just answered the last one."""
    async with open_pool([function(fake_worker("--answer=pid"))], one_slot) as pool:
        first = await pool.invoke(INVOCATION)
        with monkeypatch.context() as patch:
            # The signal is on its way.
            patch.setattr(WorkerProcess, "kill", lambda _: None)
            abandoned = asyncio.ensure_future(pool.invoke(INVOCATION))
            await asyncio.sleep(0)
            abandoned.cancel()
            await asyncio.wait([abandoned])
        second = await pool.invoke(INVOCATION)

    assert second.reason is Reason.OK
    assert second.body != first.body


async def test_a_worker_that_does_not_begin(
    fake_worker: FakeWorker, one_slot: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A call that an idle worker does not begin goes to another, though the function has no time limit."""
    monkeypatch.setattr("wasm_grpc.pool.run._BEGIN_S", 0.1)
    runtime = fake_worker(f"--once={tmp_path / 'mark'}", "--at-invoke=pause")

    async with open_pool([function(runtime, limits=Limits(timeout_s=None))], one_slot) as pool:
        assert await pool.invoke(INVOCATION) == OK


async def test_a_function_that_may_bring_a_model_shares_no_worker(fake_worker: FakeWorker) -> None:
    """Each of its invocations has a process that served nobody before and serves nobody after."""
    runtime = fake_worker("--answer=pid")
    functions = [function(runtime, name="e"), function(runtime, name="f", may_load=True)]

    async with open_pool(functions, make_settings({"workers": 1, "max_workers": 4})) as pool:
        pids = {
            name: [(await pool.invoke(dataclasses.replace(INVOCATION, function=name))).body for _ in range(5)]
            for name in "ef"
        }

    assert len(set(pids["f"])) == 5
    assert not set(pids["f"]) & set(pids["e"])


BREACHES = {
    "unknown frame": sent(b"\xff" * 16),
    "wrong frame": sent(Output(b"x")),
    "result without its head": sent(pack(Kind.RESULT)),
    "head that is no JSON": sent(pack(Kind.LOADED, b"{")),
    "answer to no LOAD": sent(Loaded(5)),
    "index of another type": sent(pack(Kind.LOADED, b'{"index":[0]}')),
    "body over the limit": sent(struct.pack("<IIQ", Kind.RESULT, 0, 1 << 40)),
    "socket closed": "close",
}


@pytest.mark.parametrize("breach", BREACHES.values(), ids=BREACHES)
async def test_a_worker_that_breaks_the_wire_is_ended(
    fake_worker: FakeWorker, one_slot: Settings, breach: str
) -> None:
    """A worker that sends what the wire does not allow is killed, even one that goes on for ever."""
    runtime = fake_worker(f"--at-load={breach}", "--is-begun")
    limits = Limits(timeout_s=None)

    async with open_pool([function(runtime, limits=limits)], one_slot) as pool:
        outcome = await pool.invoke(INVOCATION)

    assert outcome.reason is Reason.CRASHED


async def test_a_worker_that_says_loaded_again(fake_worker: FakeWorker, one_slot: Settings) -> None:
    """A worker that says again that it has loaded a function is ended, long before the guest's time is over."""
    runtime = fake_worker("--repeat-loaded-s=0.05")

    async with open_pool([function(runtime, limits=Limits(timeout_s=15))], one_slot) as pool:
        outcome = await pool.invoke(INVOCATION)

    assert outcome.message == "its worker died while running it (signal SIGKILL)"


async def test_a_tainted_worker_that_stays(fake_worker: FakeWorker, one_slot: Settings) -> None:
    """A worker that says it ends and doesn't is killed, and another takes what comes next."""
    before = _children()
    async with open_pool([function(fake_worker("--taint"))], one_slot) as pool:
        assert [await pool.invoke(INVOCATION) for _ in range(2)] == [OK, OK]
        # The base, the template and one worker are left.
        assert await _are_fewer(before, 4)


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="shared memory can be sealed on Linux alone")
async def test_a_worker_that_resizes_what_it_shares(fake_worker: FakeWorker, one_slot: Settings) -> None:
    """No worker can shorten the shared counter, at which the server would die of SIGBUS, or lengthen it."""
    runtime = fake_worker("--answer=resizing-errors")

    async with open_pool([function(runtime)], one_slot) as pool:
        outcomes = [await pool.invoke(INVOCATION) for _ in range(2)]

    assert [outcome.body for outcome in outcomes] == [b"Operation not permitted; " * 2] * 2


def _children() -> set[str]:
    """Return the processes that this one has started: fixtures of other tests have some too."""
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


async def _are_fewer(before: set[str], count: int) -> bool:
    """Wait until fewer than so many are left of those started since; the kernel tells which."""
    for _ in range(500):
        if len(_children() - before) < count:
            return True
        await asyncio.sleep(0.01)
    return False


@pytest.mark.parametrize(
    ("argument", "error"),
    [
        (
            "--at-start=exit:3",
            "worker interpreter {python}: ended with exit code 3 before it said hello; "
            "expected one with the package wasm-grpc {version}",
        ),
        (
            "--package=0.0.0",
            "worker interpreter {python}: has wasm-grpc 0.0.0 (wire {wire}); expected {version} (wire {wire})",
        ),
        (
            "--engine-error=engine fake: it is not here; it was expected",
            "worker interpreter {python}: engine fake: it is not here; it was expected",
        ),
        (f"--at-start={sent(Result(OK))}", "RESULT frame: out of place; expected HELLO"),
        (
            f"--at-engine={sent(Resume())}",
            "RESUME frame: out of place; expected ENGINE_OPENED",
        ),
        (
            "--at-engine=exit:3",
            "worker interpreter {python}: ended with exit code 3 while it opened engine fake; "
            "expected it to open",
        ),
        (
            f"--at-start={sent(pack(Kind.HELLO, b'{}'))}",
            "HELLO frame: package: missing field; expected one",
        ),
    ],
    ids=[
        "silent",
        "another version",
        "no engine",
        "another frame",
        "no word of its engine",
        "dies of its engine",
        "half a hello",
    ],
)
async def test_a_pool_that_no_worker_comes_up_for(
    fake_worker: FakeWorker, one_slot: Settings, argument: str, error: str
) -> None:
    """Where no worker comes up, the pool says why, in one line."""
    runtime = fake_worker(argument)

    with pytest.raises(WasmGrpcError) as caught:
        async with open_pool([function(runtime)], one_slot):
            pass

    assert str(caught.value) == error.format(python=runtime.python, version=__version__, wire=WIRE_VERSION)


async def test_an_interpreter_that_is_not_there(tmp_path: Path, one_slot: Settings) -> None:
    """An interpreter that can't be started is named with the reason."""
    runtime = Runtime(EngineName.FAKE, str(tmp_path / "python"))

    with pytest.raises(WorkerStartError) as caught:
        async with open_pool([function(runtime)], one_slot):
            pass

    assert str(caught.value) == (
        f"worker interpreter {runtime.python}: can't be started: No such file or directory; expected a Python"
    )


async def test_too_many_open_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has no descriptor left for a worker is an error like any other start that fails."""

    def refuse() -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(socket, "socketpair", refuse)

    with pytest.raises(WorkerStartError, match="can't be started: Too many open files"):
        await Template.start(Runtime(EngineName.FAKE, sys.executable), Children())


async def test_a_pool_opens_with_its_workers_at_hand(fake_worker: FakeWorker) -> None:
    """All workers that are always kept have loaded what is loaded ahead when the pool is given."""
    # A worker takes its time for it.
    pooled = function(fake_worker("--load-s=0.2"), in_advance=1)

    async with open_pool([pooled], make_settings({"workers": 2, "max_workers": 4})) as pool:
        assert repr(pool) == "<Pool <Schedule 0 busy, 0 lent, 3 idle, 0 starting, 0 waiting>>"


async def test_a_late_function_keeps_no_pool_from_opening(
    fake_worker: FakeWorker, one_slot: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A function that is not loaded in time is left out, and the workers take what else comes."""
    monkeypatch.setattr("wasm_grpc.pool.blame.LOAD_S", 0.2)
    pooled = function(fake_worker("--at-load=pause"), in_advance=1)

    async with open_pool([pooled], one_slot) as pool:
        assert repr(pool) == "<Pool <Schedule 0 busy, 0 lent, 1 idle, 0 starting, 0 waiting>>"


async def test_a_pool_does_not_wait_for_ever(
    fake_worker: FakeWorker, one_slot: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pool whose workers need longer than a few time-outs opens without them."""
    monkeypatch.setattr("wasm_grpc.pool.pool._START_S", 0.6)
    runtime = fake_worker("--load-s=0.15")

    pooled = [function(runtime, name=name, in_advance=1) for name in "efghijkl"]
    async with open_pool(pooled, one_slot) as pool:
        assert repr(pool) == "<Pool <Schedule 0 busy, 0 lent, 0 idle, 1 starting, 0 waiting>>"


async def test_what_a_worker_prints_is_logged(
    fake_worker: FakeWorker, one_slot: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """Each line once it is whole, as a warning; what TensorFlow Lite says of itself only for who looks closely."""
    pieces = ["INFO: ", "a delegate was made\nthread panicked", " at line 1\n\nthe last, without an end"]
    pooled = function(fake_worker(*(f"--print={piece}" for piece in pieces)))

    async with open_pool([pooled], one_slot) as pool:
        await pool.invoke(INVOCATION)

    warnings = [record.getMessage() for record in caplog.records if record.name == "wasm_grpc.pool.process"]
    assert [text.partition(": ")[2] for text in warnings] == [
        "thread panicked at line 1",
        "the last, without an end",
    ]


async def test_a_caller_that_goes_while_it_waits(fake_worker: FakeWorker, one_slot: Settings) -> None:
    """A cancelled invocation that waited is never run, and leaves its place in the queue."""
    pooled = function(fake_worker("--invoke-s=0.3"))

    async with open_pool([pooled], one_slot) as pool:
        running = asyncio.ensure_future(pool.invoke(INVOCATION))
        waiting = asyncio.ensure_future(pool.invoke(INVOCATION))
        await asyncio.sleep(0)
        waiting.cancel()
        outcomes = await asyncio.gather(running, waiting, return_exceptions=True)

        assert outcomes[0] == OK
        assert isinstance(outcomes[1], asyncio.CancelledError)
        assert repr(pool) == "<Pool <Schedule 0 busy, 0 lent, 1 idle, 0 starting, 0 waiting>>"


async def test_an_invocation_that_waits_too_long(fake_worker: FakeWorker, one_slot: Settings) -> None:
    """An invocation that finds no worker within its function's queue_wait is refused."""
    pooled = function(fake_worker("--at-load=pause", "--is-begun"), limits=Limits(queue_wait_s=0.1))

    async with open_pool([pooled], one_slot) as pool:
        running = asyncio.ensure_future(pool.invoke(INVOCATION))
        await asyncio.sleep(0)
        with pytest.raises(InvocationError, match=r"waited longer than 0\.1 s for a free worker"):
            await pool.invoke(INVOCATION)
        running.cancel()
        await asyncio.wait([running])


async def test_a_cancelled_start_leaves_nothing(fake_worker: FakeWorker, one_slot: Settings) -> None:
    """A pool that is given up while its workers start kills and reaps them."""
    pool = open_pool([function(fake_worker("--at-start=pause"))], one_slot)
    before = _children()
    opening = asyncio.ensure_future(pool.__aenter__())
    while not _children() - before:
        await asyncio.sleep(0)

    opening.cancel()

    with pytest.raises(asyncio.CancelledError):
        await opening
    assert not _children() - before


class Notebook:
    """An observer that keeps what it is told."""

    wants = frozenset({InvocationQueued, InvocationStarted, InvocationFinished, WorkerStarted, WorkerLost})

    def __init__(self) -> None:
        self.events: list[Event] = []

    def observe(self, event: Event) -> None:
        """See `Observer.observe`."""
        self.events.append(event)


async def test_observers_learn_what_happens(
    fake_worker: FakeWorker, one_slot: Settings, tmp_path: Path
) -> None:
    """Workers that come and go, and an invocation from its queue to its end, on its second worker."""
    runtime = fake_worker(f"--once={tmp_path / 'mark'}", "--at-load=exit:3")
    notebook = Notebook()

    async with open_pool([function(runtime)], one_slot, Observers([notebook])) as pool:
        await pool.invoke(INVOCATION)

    first, queued, started, lost, second, again, finished = notebook.events
    about = {"invocation_id": INVOCATION.id, "function": INVOCATION.function}
    assert isinstance(first, WorkerStarted)
    assert isinstance(second, WorkerStarted)
    assert queued == InvocationQueued(**about)
    assert started == InvocationStarted(**about, worker=first.worker)
    assert lost == WorkerLost(worker=first.worker, engine=first.engine, exit_code=3, was_idle=False)
    assert again == InvocationStarted(**about, worker=second.worker)
    assert isinstance(finished, InvocationFinished)
    assert (finished.outcome, finished.duration_s > 0) == (OK, True)


async def test_a_worker_whose_standard_error_somebody_holds(
    fake_worker: FakeWorker, one_slot: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that a worker left behind holds the pipe open: the call fails and the pool closes all the same."""
    monkeypatch.setattr("wasm_grpc.pool.process._LAST_LINES_S", 0.05)
    runtime = fake_worker("--at-invoke=leave-and-exit:3", "--is-begun")

    async with open_pool([function(runtime)], one_slot) as pool:
        outcome = await asyncio.wait_for(pool.invoke(INVOCATION), 5)
        assert outcome.message == "its worker died while running it (exit code 3)"
