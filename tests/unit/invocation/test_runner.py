"""Batches of calls: each has its own error, and each result that is wanted is sent on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import cast

import pytest

from wasm_grpc.core.errors import InvocationError
from wasm_grpc.core.model import Invocation, Outcome, Reason, Trace
from wasm_grpc.core.observers import Observers
from wasm_grpc.invocation.output_requests import Cause, Output, OutputRequest, PublishRequest
from wasm_grpc.invocation.outputs import Outputs
from wasm_grpc.invocation.runner import Call, Runner
from wasm_grpc.manifest.outputs import PublishOutput, Then
from wasm_grpc.manifest.tables import FunctionManifest
from wasm_grpc.manifest.triggers import TopicTrigger, Triggers
from wasm_grpc.pool.pool import Pool

pytestmark = pytest.mark.asyncio

FUNCTION = FunctionManifest(
    name="f",
    module="f.wasm",
    content_type="text/plain",
    trigger=Triggers(topic=(TopicTrigger(pubsub="p", topic="in"),)),
)
OUTPUT = Output(
    (Then(publish=PublishOutput(pubsub="p", topic="t")),), Cause(id="1", function="f", trace=Trace())
)


class FakePool:
    """A pool that fails what begins with "f", does not run what begins with "w", and gives the rest back."""

    def __init__(self) -> None:
        self.batches: list[Sequence[Invocation]] = []

    async def invoke_batch(self, invocations: Sequence[Invocation]) -> list[Outcome | InvocationError]:
        """See `Pool.invoke_batch`."""
        self.batches.append(invocations)
        return [_end(each) for each in invocations]


def _end(invocation: Invocation) -> Outcome | InvocationError:
    if invocation.body.startswith(b"w"):
        return InvocationError(Reason.QUEUE_WAIT, "waited", function="f")
    if invocation.body.startswith(b"f"):
        return Outcome(reason=Reason.EXITED, message="exit code 1", exit_code=1)
    return Outcome(reason=Reason.OK, body=invocation.body)


class Broker:
    """A sender that keeps what it was to publish, and refuses "refused"."""

    def __init__(self) -> None:
        self.published: list[str] = []

    async def send(self, request: OutputRequest, trace: Trace) -> None:
        """See `Sender.send`."""
        assert isinstance(request, PublishRequest)
        text = json.loads(request.data)["data"]
        if text == "refused":
            raise InvocationError(Reason.THEN_FAILED, "refused", function="f")
        self.published.append(text)


def calls(*bodies: bytes, output: Output | None = None) -> list[Call]:
    """Return calls with these bodies."""
    return [Call(body=body, env=(), invocation_id=body.decode()[:9], output=output) for body in bodies]


def reasons(errors: Sequence[InvocationError | None]) -> list[Reason | None]:
    """Return what went wrong with each call."""
    return [None if error is None else error.reason for error in errors]


async def test_each_call_of_a_batch_has_its_own_error() -> None:
    """A call that is refused is not handed to the pool, and those around it keep their own results."""
    pool = FakePool()
    runner = Runner(cast(Pool, pool), Outputs(None, app_id=""), Observers())
    too_large = b"x" * (FUNCTION.limits.body_bytes + 1)

    errors = await runner.run_batch(FUNCTION, calls(b"ok", b"fails", too_large, b"waits", b"good"))

    assert reasons(errors) == [None, Reason.EXITED, Reason.BODY_TOO_LARGE, Reason.QUEUE_WAIT, None]
    assert [[each.body for each in batch] for batch in pool.batches] == [[b"ok", b"fails", b"waits", b"good"]]


async def test_a_batch_of_which_no_call_can_run() -> None:
    """The pool is not asked to run nothing."""
    pool = FakePool()
    runner = Runner(cast(Pool, pool), Outputs(None, app_id=""), Observers())

    errors = await runner.run_batch(FUNCTION, calls(b"x" * (FUNCTION.limits.body_bytes + 1)))

    assert (reasons(errors), pool.batches) == ([Reason.BODY_TOO_LARGE], [])


async def test_the_results_of_a_batch_are_sent_on() -> None:
    """What succeeded is published; where that fails, only that call fails."""
    broker = Broker()
    runner = Runner(cast(Pool, FakePool()), Outputs(broker, app_id="app"), Observers())

    errors = await runner.run_batch(FUNCTION, calls(b"one", b"fails", b"refused", b"two", output=OUTPUT))

    assert reasons(errors) == [None, Reason.EXITED, Reason.THEN_FAILED, None]
    assert sorted(broker.published) == ["one", "two"]


async def test_a_draining_runner_takes_no_batch() -> None:
    """A batch that comes after the drain began is refused as a whole."""
    runner = Runner(cast(Pool, FakePool()), Outputs(None, app_id=""), Observers())
    await runner.drain()

    with pytest.raises(InvocationError) as caught:
        await runner.run_batch(FUNCTION, calls(b"ok"))

    assert caught.value.reason is Reason.DRAINING
