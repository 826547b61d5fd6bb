"""How large batches are, and what becomes of one whose worker breaks the rules."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from unit.pool.faults import FakeWorker, function, open_pool, sent
from wasm_grpc.core.errors import InvocationError
from wasm_grpc.core.model import (
    Invocation,
    Limits,
    Outcome,
    Reason,
)
from wasm_grpc.core.observers import (
    Event,
    InvocationFinished,
    InvocationQueued,
    InvocationStarted,
    Observers,
)
from wasm_grpc.core.settings import Settings, make_settings
from wasm_grpc.core.wire import Result
from wasm_grpc.pool.batches import BatchSizes
from wasm_grpc.pool.pool import Pool

BODIES = [b"1", b"2", b"3", b"4", b"5"]
IDLE = "<Pool <Schedule 0 busy, 0 lent, 1 idle, 0 starting, 0 waiting>>"
CRASHED = Outcome(reason=Reason.CRASHED, message="its worker died while running it (signal SIGKILL)")


def batch(bodies: Sequence[bytes] = BODIES) -> list[Invocation]:
    """Return a batch of invocations with these bodies."""
    return [Invocation(id=body.decode(), function="f", body=body) for body in bodies]


def done(*bodies: bytes) -> list[Outcome]:
    """Return the outcomes of invocations that gave these bodies back."""
    return [Outcome(reason=Reason.OK, body=body) for body in bodies]


@pytest.fixture
def one_slot() -> Settings:
    """Return settings with one run slot and one process."""
    return make_settings({"workers": 1, "max_workers": 1})


@pytest.mark.parametrize(
    ("duration_s", "size"),
    [(0.0, 16), (0.0001, 16), (0.001, 5), (0.004, 1), (0.1, 1), (5.0, 1)],
)
def test_a_batch_takes_a_few_milliseconds(duration_s: float, size: int) -> None:
    """A batch has as many invocations as run in 5 ms, but at least one and at most 16."""
    sizes = BatchSizes()
    sizes.took("f", [duration_s] * 3)

    assert sizes.size("f") == size


def test_a_function_that_has_never_run() -> None:
    """Nothing is known of it, so its first batch is one invocation; others don't matter."""
    sizes = BatchSizes()
    sizes.took("f", [0.0001])
    sizes.took("g", [])

    assert sizes.size("g") == 1


def test_a_function_that_becomes_slow_and_fast_again() -> None:
    """Each slow batch halves the next one at most, and a fast one is believed at once."""
    sizes = BatchSizes()

    seen = []
    for duration_s in (0.00025, 0.1, 0.1, 0.1, 0.1, 0.1, 0.00025):
        sizes.took("f", [duration_s])
        seen.append(sizes.size("f"))

    assert seen == [16, 10, 5, 2, 1, 1, 16]


@pytest.mark.asyncio
async def test_a_batch_runs_on_one_worker(fake_worker: FakeWorker) -> None:
    """Its invocations run in order, on the same worker, though another is idle."""
    runtime = fake_worker("--answer=pid")

    async with open_pool([function(runtime)], make_settings({"workers": 2, "max_workers": 2})) as pool:
        outcomes = await pool.invoke_batch(batch())

    assert len({str(each) for each in outcomes}) == 1


@pytest.mark.asyncio
async def test_a_batch_and_its_outcomes(fake_worker: FakeWorker, one_slot: Settings) -> None:
    """Each invocation has its own outcome, whatever its length, and one follows the other."""
    bodies = [b"short", b"x" * 100_000, b"y" * 1_000_000, b""]

    async with open_pool([function(fake_worker(), limits=Limits(body_bytes=1 << 20))], one_slot) as pool:
        assert await pool.invoke_batch(batch(bodies)) == done(*bodies)
        assert await pool.invoke_batch(batch()) == done(*BODIES)
        assert repr(pool) == IDLE


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("arguments", "third"),
    [
        (["--at-invoke=kill", "--is-begun"], CRASHED),
        (["--at-invoke=kill", "--once={mark}"], done(b"3")[0]),
        (["--at-invoke=kill"], CRASHED),
        (
            ["--at-invoke=pause", "--is-begun"],
            Outcome(reason=Reason.TIMEOUT, message="ran longer than 1 s", limit="limits.timeout"),
        ),
    ],
    ids=["dies", "dies before it begins", "kills every worker before it begins", "hangs"],
)
async def test_a_worker_that_is_lost_in_the_middle(
    fake_worker: FakeWorker, one_slot: Settings, tmp_path: Path, arguments: Sequence[str], third: Outcome
) -> None:
    """Those before have their outcomes, those behind run on another worker: only one is harmed, if any."""
    runtime = fake_worker("--at-invoke-of=3", *(each.format(mark=tmp_path / "mark") for each in arguments))

    async with open_pool([function(runtime, limits=Limits(timeout_s=1))], one_slot) as pool:
        outcomes = await pool.invoke_batch(batch())

    assert outcomes == [*done(b"1", b"2"), third, *done(b"4", b"5")]


@pytest.mark.asyncio
async def test_each_invocation_has_its_own_time(fake_worker: FakeWorker, one_slot: Settings) -> None:
    """A time limit counts from the end of the invocation before, and not from the start of the batch."""
    runtime = fake_worker("--invoke-s=0.3")

    async with open_pool([function(runtime, limits=Limits(timeout_s=1))], one_slot) as pool:
        assert await pool.invoke_batch(batch()) == done(*BODIES)


@pytest.mark.asyncio
async def test_a_worker_that_does_not_begin_the_next(
    fake_worker: FakeWorker, one_slot: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A worker that stops between two invocations is replaced, and the rest of the batch is unharmed."""
    monkeypatch.setattr("wasm_grpc.pool.run._BEGIN_S", 0.1)
    runtime = fake_worker("--at-invoke-of=3", "--at-invoke=pause", f"--once={tmp_path / 'mark'}")

    async with open_pool([function(runtime, limits=Limits(timeout_s=None))], one_slot) as pool:
        assert await pool.invoke_batch(batch()) == done(*BODIES)


@pytest.mark.asyncio
async def test_a_worker_that_answers_twice(
    fake_worker: FakeWorker, one_slot: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A second answer does not become that of the next invocation: the worker is cut off."""
    answer = Result(done(b"of the worker")[0])
    runtime = fake_worker(
        "--at-invoke-of=3", f"--at-invoke={sent(answer, answer)}", "--is-begun", f"--once={tmp_path / 'mark'}"
    )

    async with open_pool([function(runtime)], one_slot) as pool:
        outcomes = await pool.invoke_batch(batch())

    assert outcomes == done(b"1", b"2", b"of the worker", b"4", b"5")
    assert "RESULT frame: its invocation was not begun" in caplog.text


@pytest.mark.asyncio
async def test_a_worker_that_ends_after_each_answer(fake_worker: FakeWorker, one_slot: Settings) -> None:
    """If a worker says that it ends, the next one continues the batch."""
    async with open_pool([function(fake_worker("--taint"))], one_slot) as pool:
        assert await pool.invoke_batch(batch()) == done(*BODIES)


@pytest.mark.asyncio
async def test_a_batch_whose_function_can_not_be_loaded(fake_worker: FakeWorker, one_slot: Settings) -> None:
    """Every invocation has the reason."""
    async with open_pool([function(fake_worker("--at-load=exit:7"))], one_slot) as pool:
        outcomes = await pool.invoke_batch(batch())

    refused = Outcome(
        reason=Reason.UNAVAILABLE,
        message="it can't be loaded: its worker died while loading it (exit code 7)",
    )
    assert outcomes == [refused] * len(BODIES)


@pytest.mark.asyncio
async def test_a_caller_that_goes_in_the_middle(fake_worker: FakeWorker, one_slot: Settings) -> None:
    """None of the rest runs, and the run slot is free again."""
    events = Notebook()
    runtime = fake_worker("--at-invoke-of=3", "--at-invoke=pause", "--is-begun")

    async with open_pool([function(runtime)], one_slot, Observers([events])) as pool:
        running = asyncio.ensure_future(pool.invoke_batch(batch()))
        await events.until(InvocationStarted, "3")
        running.cancel()
        await asyncio.wait([running])
        await events.until(InvocationFinished, "5")
        assert await pool.invoke(batch([b"6"])[0]) == done(b"6")[0]

    assert running.cancelled()
    assert events.reasons() == {
        "1": Reason.OK,
        "2": Reason.OK,
        "3": Reason.CANCELLED,
        "4": Reason.CANCELLED,
        "5": Reason.CANCELLED,
        "6": Reason.OK,
    }
    assert ("4" in events.started(), "5" in events.started()) == (False, False)


@pytest.mark.asyncio
async def test_a_server_that_stops_in_the_middle(fake_worker: FakeWorker, one_slot: Settings) -> None:
    """Invocations that have no outcome yet get the reason, those of a batch that waits too."""
    events = Notebook()
    runtime = fake_worker("--at-invoke-of=3", "--at-invoke=pause", "--is-begun")

    async with open_pool([function(runtime)], one_slot, Observers([events])) as pool:
        running = asyncio.ensure_future(pool.invoke_batch(batch()))
        waiting = asyncio.ensure_future(pool.invoke_batch(batch([b"6", b"7"])))
        await events.until(InvocationStarted, "3")
        pool.stop(Reason.DRAINING, "the server stopped")
        outcomes = await running
        refusals = await waiting

    assert outcomes == [
        *done(b"1", b"2"),
        *[Outcome(reason=Reason.DRAINING, message="the server stopped")] * 3,
    ]
    assert [str(each) for each in refusals] == ["function 'f': the server stopped"] * 2


@pytest.mark.asyncio
async def test_a_batch_that_waits_too_long(fake_worker: FakeWorker, one_slot: Settings) -> None:
    """A batch that finds no worker within its function's queue_wait is refused as a whole."""
    runtime = fake_worker("--at-invoke=pause", "--is-begun")

    async with open_pool([function(runtime, limits=Limits(queue_wait_s=0.1))], one_slot) as pool:
        running = asyncio.ensure_future(pool.invoke_batch(batch()))
        await asyncio.sleep(0)
        refusals = await pool.invoke_batch(batch())
        running.cancel()
        await asyncio.wait([running])

    message = "function 'f': waited longer than 0.1 s for a free worker"
    assert [str(each) for each in refusals] == [message] * len(BODIES)


@pytest.mark.asyncio
async def test_a_batch_takes_one_place_in_the_queue(fake_worker: FakeWorker, one_slot: Settings) -> None:
    """A batch that finds no place is refused, and one that is withdrawn leaves its place."""
    runtime = fake_worker("--at-invoke=pause", "--is-begun")

    async with open_pool([function(runtime, queue=1)], one_slot) as pool:
        tasks = [asyncio.ensure_future(pool.invoke_batch(batch())) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(InvocationError, match="too many invocations wait; expected at most 1"):
            await pool.invoke_batch(batch())
        tasks[1].cancel()
        await asyncio.wait([tasks[1]])
        tasks[1] = asyncio.ensure_future(pool.invoke_batch(batch()))
        await asyncio.sleep(0)
        assert waiting(pool) == 1
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        assert waiting(pool) == 0


def waiting(pool: Pool) -> int:
    """Return how many tickets wait."""
    return int(repr(pool).split()[-2])


@pytest.mark.asyncio
async def test_a_function_that_may_bring_a_model_has_no_batches(fake_worker: FakeWorker) -> None:
    """Its workers run one invocation each, so nothing may wait in them."""
    settings = make_settings({"workers": 1, "max_workers": 2})

    async with open_pool([function(fake_worker(), may_load=True)], settings) as pool:
        await pool.invoke_batch(batch([b"1"]))
        assert pool.batch_size("f") == 1


class Notebook:
    """An observer that keeps what it is told of invocations."""

    wants = frozenset({InvocationQueued, InvocationStarted, InvocationFinished})

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._has_more = asyncio.Event()

    def observe(self, event: Event) -> None:
        """See `Observer.observe`."""
        self.events.append(event)
        self._has_more.set()

    async def until(self, kind: type[Event], invocation_id: str) -> None:
        """Wait for an event of an invocation."""
        while not any(isinstance(each, kind) and about(each) == invocation_id for each in self.events):
            self._has_more.clear()
            await asyncio.wait_for(self._has_more.wait(), 10)

    def started(self) -> list[str]:
        """Return the invocations that were started, in order."""
        return [about(each) for each in self.events if isinstance(each, InvocationStarted)]

    def reasons(self) -> dict[str, Reason]:
        """Return how each invocation ended."""
        return {
            each.invocation_id: each.outcome.reason
            for each in self.events
            if isinstance(each, InvocationFinished)
        }


def about(event: Event) -> str:
    """Return the invocation that an event is about."""
    assert isinstance(event, (InvocationQueued, InvocationStarted, InvocationFinished))
    return event.invocation_id


@pytest.mark.asyncio
async def test_observers_learn_of_each_invocation(fake_worker: FakeWorker, one_slot: Settings) -> None:
    """All are queued together, and then each is started and finished before the next."""
    events = Notebook()

    async with open_pool([function(fake_worker())], one_slot, Observers([events])) as pool:
        await pool.invoke_batch(batch([b"1", b"2"]))

    assert [(type(each), about(each)) for each in events.events] == [
        (InvocationQueued, "1"),
        (InvocationQueued, "2"),
        (InvocationStarted, "1"),
        (InvocationFinished, "1"),
        (InvocationStarted, "2"),
        (InvocationFinished, "2"),
    ]
