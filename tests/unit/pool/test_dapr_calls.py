"""Guests' calls to Dapr in the pool: whose they are, how many there may be, and what no worker may send."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from unit.pool.faults import FakeWorker, function, open_pool, sent
from wasm_grpc.core.model import (
    DaprGrants,
    Invocation,
    Limits,
    Origin,
    Outcome,
    Reason,
    Runtime,
    WorkerFunction,
)
from wasm_grpc.core.observers import DaprCalled, Event, Observers
from wasm_grpc.core.settings import make_settings
from wasm_grpc.core.wire import DaprAnswer, DaprCall, DaprStatus, Result
from wasm_grpc.pool.functions import PoolFunction

__all__ = []

pytestmark = pytest.mark.asyncio

INVOCATION = Invocation(id="1", function="f", body=b"key", origin=Origin(depth=1))
ONE_SLOT = make_settings({"workers": 1, "max_workers": 2})
CALL = DaprCall("GetState", is_json=True, request=b"key")
GRANTS = DaprGrants(state=("store/*",))


class Api:
    """A `DaprApi` that records each call, and answers with its request."""

    has_sidecar = True

    def __init__(self, before: Callable[[], Awaitable[object]] | None = None) -> None:
        self.calls: list[tuple[DaprCall, Invocation, WorkerFunction]] = []
        self.timeouts_s: list[float] = []
        self.cancelled = 0
        self._before = before

    async def call(
        self, call: DaprCall, invocation: Invocation, function: WorkerFunction, *, timeout_s: float
    ) -> DaprAnswer:
        """See `DaprApi.call`."""
        self.calls.append((call, invocation, function))
        self.timeouts_s.append(timeout_s)
        try:
            if self._before is not None:
                await self._before()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return DaprAnswer(DaprStatus.OK, response=call.request)


class Recorder:
    """An `Observer` of calls to Dapr."""

    wants: frozenset[type[Event]] = frozenset({DaprCalled})

    def __init__(self) -> None:
        self.events: list[Event] = []

    def observe(self, event: Event) -> None:
        """See `Observer.observe`."""
        self.events.append(event)


def calling(runtime: Runtime, **options: Any) -> PoolFunction:
    """Return a function that may read from a store."""
    pooled = function(runtime, **options)
    grants = dataclasses.replace(pooled.function.grants, dapr=GRANTS)
    return dataclasses.replace(pooled, function=dataclasses.replace(pooled.function, grants=grants))


async def test_a_call_is_that_of_the_invocation_that_its_worker_was_given(fake_worker: FakeWorker) -> None:
    """The worker says only what it asks for; function, grants and origin are the server's."""
    api, recorder = Api(), Recorder()
    served = calling(fake_worker("--calls=2"))

    async with open_pool([served], ONE_SLOT, Observers([recorder])) as pool:
        pool.connect_dapr(api)
        outcome = await pool.invoke(INVOCATION)

    assert outcome == Outcome(reason=Reason.OK, body=b"ok:key,ok:key")
    assert api.calls == [(CALL, INVOCATION, served.function)] * 2
    assert all(0 < timeout_s <= 5 for timeout_s in api.timeouts_s)
    assert [
        (event.invocation_id, event.function, event.method, event.status)
        for event in recorder.events
        if isinstance(event, DaprCalled)
    ] == [("1", "f", "GetState", DaprStatus.OK)] * 2


async def test_a_guest_makes_no_more_calls_than_it_may(fake_worker: FakeWorker) -> None:
    """The server counts, whatever the worker does with the answer."""
    api = Api()
    limits = Limits(timeout_s=5, host_calls=2)

    async with open_pool([calling(fake_worker("--calls=4"), limits=limits)], ONE_SLOT) as pool:
        pool.connect_dapr(api)
        outcome = await pool.invoke(INVOCATION)
        again = await pool.invoke(INVOCATION)

    assert outcome.body == again.body == b"ok:key,ok:key,limit:,limit:"
    assert len(api.calls) == 4


@pytest.mark.parametrize(("limit_s", "most_s"), [(0.25, 0.25), (60, 5)])
async def test_a_call_waits_no_longer_than_it_may(
    fake_worker: FakeWorker, limit_s: float, most_s: float
) -> None:
    """A call has the time of its own limit, and never more than its invocation has left."""
    api = Api()
    limits = Limits(timeout_s=5, dapr_timeout_s=limit_s)

    async with open_pool([calling(fake_worker("--calls=1"), limits=limits)], ONE_SLOT) as pool:
        pool.connect_dapr(api)
        await pool.invoke(INVOCATION)

    (timeout_s,) = api.timeouts_s
    assert most_s - 1 < timeout_s <= most_s


class Gone(Api):
    """Dapr that can't be reached."""

    async def call(self, *_: Any, **__: Any) -> DaprAnswer:
        """See `DaprApi.call`."""
        return DaprAnswer(DaprStatus.UNAVAILABLE, "GetState: gone")


async def test_a_server_without_a_sidecar(fake_worker: FakeWorker, caplog: pytest.LogCaptureFixture) -> None:
    """Guests are told that Dapr can't be reached. The log is not: it was, when the server started."""

    class Unconnected(Gone):
        has_sidecar = False

    outcomes = []
    for api in (None, Unconnected()):
        async with open_pool([calling(fake_worker("--calls=1"))], ONE_SLOT) as pool:
            if api is not None:
                pool.connect_dapr(api)
            outcomes.append(await pool.invoke(INVOCATION))

    assert [outcome.body for outcome in outcomes] == [b"unavailable:", b"unavailable:"]
    assert "call to Dapr" not in caplog.text


async def test_a_sidecar_that_is_gone(fake_worker: FakeWorker, caplog: pytest.LogCaptureFixture) -> None:
    """The log says so, once for each invocation."""
    async with open_pool([calling(fake_worker("--calls=2"))], ONE_SLOT) as pool:
        pool.connect_dapr(Gone())
        await pool.invoke(INVOCATION)

    assert caplog.text.count("function 'f': call to Dapr: UNAVAILABLE: GetState: gone") == 1


async def test_an_error_of_dapr_has_one_code(
    fake_worker: FakeWorker, caplog: pytest.LogCaptureFixture
) -> None:
    """The log names the code that Dapr answered with, and no other before it."""

    class Failing(Api):
        async def call(self, *_: Any, **__: Any) -> DaprAnswer:
            return DaprAnswer(DaprStatus.FAILED, "ABORTED: SaveState: changed")

    async with open_pool([calling(fake_worker("--calls=1"))], ONE_SLOT) as pool:
        pool.connect_dapr(Failing())
        await pool.invoke(INVOCATION)

    assert "function 'f': call to Dapr: ABORTED: SaveState: changed" in caplog.text


async def test_a_guest_that_waits_lends_its_slot(fake_worker: FakeWorker) -> None:
    """With one slot, twenty guests wait for Dapr at the same time."""
    waiting = 0
    all_wait = asyncio.Event()

    async def wait_for_all() -> None:
        nonlocal waiting
        waiting += 1
        if waiting == 20:
            all_wait.set()
        await all_wait.wait()

    api = Api(before=wait_for_all)
    settings = make_settings({"workers": 1, "max_workers": 20})
    limits = Limits(timeout_s=20)

    async with open_pool([calling(fake_worker("--calls=1"), limits=limits, queue=20)], settings) as pool:
        pool.connect_dapr(api)
        outcomes = await asyncio.gather(*(pool.invoke(INVOCATION) for _ in range(20)))

    assert [outcome.body for outcome in outcomes] == [b"ok:key"] * 20


async def test_a_call_ends_with_its_invocation(fake_worker: FakeWorker) -> None:
    """The time limit runs while the guest waits, and the call is cancelled with it."""
    api = Api(before=asyncio.Event().wait)
    limits = Limits(timeout_s=0.3)

    async with open_pool([calling(fake_worker("--calls=1"), limits=limits)], ONE_SLOT) as pool:
        pool.connect_dapr(api)
        outcome = await pool.invoke(INVOCATION)

    assert outcome == Outcome(reason=Reason.TIMEOUT, message="ran longer than 0.3 s", limit="limits.timeout")
    assert api.cancelled == 1
    assert 0 < api.timeouts_s[0] <= 0.3


async def test_a_caller_that_leaves_ends_the_call(fake_worker: FakeWorker) -> None:
    """Nobody waits for the answer any more."""
    called = asyncio.Event()

    async def wait() -> None:
        called.set()
        await asyncio.Event().wait()

    api = Api(before=wait)
    async with open_pool([calling(fake_worker("--calls=1"))], ONE_SLOT) as pool:
        pool.connect_dapr(api)
        caller = asyncio.ensure_future(pool.invoke(INVOCATION))
        await called.wait()
        caller.cancel()
        await asyncio.wait([caller])

    assert api.cancelled == 1


async def test_chains_of_calls_do_not_lock_up(fake_worker: FakeWorker) -> None:
    """Every process is taken by a guest that calls back, to a depth of 8, and all of them get an answer."""
    settings = make_settings({"workers": 2, "max_workers": 2})
    limits = Limits(timeout_s=30, queue_wait_s=30)
    depths: list[int] = []

    class Nesting:
        has_sidecar = True

        async def call(self, call: DaprCall, invocation: Invocation, *_: Any, **__: Any) -> DaprAnswer:
            depth = invocation.origin.depth
            depths.append(depth)
            if depth == 8:
                return DaprAnswer(DaprStatus.OK, response=b"end")
            nested = dataclasses.replace(INVOCATION, origin=Origin(depth=depth + 1))
            outcome = await pool.invoke(nested)
            return DaprAnswer(DaprStatus.OK, response=outcome.body)

    served = calling(fake_worker("--calls=1"), limits=limits, queue=100)
    served = dataclasses.replace(served, policy=dataclasses.replace(served.policy, max=4))
    async with open_pool([served], settings) as pool:
        pool.connect_dapr(Nesting())
        outer = dataclasses.replace(INVOCATION, origin=Origin())
        outcomes = await asyncio.gather(*(pool.invoke(outer) for _ in range(6)))

    assert [outcome.body for outcome in outcomes] == [b"ok:" * 9 + b"end"] * 6
    assert sorted(depths) == sorted(list(range(9)) * 6)


RESULT = Result(Outcome(reason=Reason.OK, body=b"forged"))
BREACHES = {
    "a second call": (CALL, CALL),
    "a result while it waits": (CALL, RESULT),
}


@pytest.mark.parametrize("frames", BREACHES.values(), ids=BREACHES)
async def test_a_worker_that_does_not_wait_for_the_answer(
    fake_worker: FakeWorker, frames: tuple[DaprCall | Result, ...]
) -> None:
    """It is ended, and its invocation has failed."""
    api = Api(before=asyncio.Event().wait)
    runtime = fake_worker("--is-begun", f"--at-invoke={sent(*frames)}")

    async with open_pool([calling(runtime)], ONE_SLOT) as pool:
        pool.connect_dapr(api)
        outcome = await pool.invoke(INVOCATION)

    assert outcome.reason is Reason.CRASHED
    assert len(api.calls) == 1


async def test_a_worker_that_calls_after_its_invocation(fake_worker: FakeWorker) -> None:
    """There is no invocation that it could call for: it is ended, and Dapr is not called."""
    api = Api()
    runtime = fake_worker("--is-begun", f"--at-invoke={sent(RESULT, CALL)}")

    async with open_pool([calling(runtime)], ONE_SLOT) as pool:
        pool.connect_dapr(api)
        outcomes = [await pool.invoke(INVOCATION) for _ in range(3)]

    assert [outcome.body for outcome in outcomes] == [b"forged"] * 3
    assert api.calls == []


async def test_a_worker_that_calls_before_it_has_begun(fake_worker: FakeWorker) -> None:
    """A call of a guest that does not run is none."""
    api = Api()

    async with open_pool([calling(fake_worker(f"--at-invoke={sent(CALL)}"))], ONE_SLOT) as pool:
        pool.connect_dapr(api)
        outcome = await pool.invoke(INVOCATION)

    assert outcome.reason is Reason.CRASHED
    assert api.calls == []
