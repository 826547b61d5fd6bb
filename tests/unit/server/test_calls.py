"""The edge that every call passes: how a call ends for each way in which the code inside does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import NoReturn, cast

import grpc
import pytest

from wasm_grpc.core.errors import InvocationError
from wasm_grpc.core.model import Reason
from wasm_grpc.core.observers import Observers
from wasm_grpc.server.answers import Answers
from wasm_grpc.server.calls import Call, Calls
from wasm_grpc.server.failures import Context

pytestmark = pytest.mark.asyncio

CODES = grpc.StatusCode
TOKEN = "secret"
FAILED = InvocationError(Reason.TIMEOUT, "too slow")


class FakeContext:
    """A call that remembers how it was ended."""

    def __init__(self, token: str = TOKEN) -> None:
        self.sent: list[tuple[str, str | bytes]] = []
        self.ends: list[tuple[grpc.StatusCode, str]] = []
        self._token = token

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        """Return the token."""
        return (("dapr-api-token", self._token),)

    def add_done_callback(self, _: object) -> None:
        """Ignore it."""

    async def send_initial_metadata(self, metadata: Sequence[tuple[str, str | bytes]]) -> None:
        """Remember it."""
        self.sent += metadata

    async def abort(self, code: grpc.StatusCode, details: str, trailing: object = ()) -> NoReturn:
        """Remember it, and end as gRPC does."""
        self.ends.append((code, details))
        raise grpc.aio.AbortError


def invocation(context: FakeContext) -> Call:
    """Let in the call of invocation 1."""
    calls = Calls(Answers(), Observers(), token=TOKEN, is_event_token_checked=False)
    return calls.invocation(cast("Context", context), "OnInvoke", "1")


def event(context: FakeContext, *, is_token_checked: bool = False) -> Call:
    """Let in the call of an event."""
    calls = Calls(Answers(), Observers(), token=TOKEN, is_event_token_checked=is_token_checked)
    return calls.event(cast("Context", context), "OnJobEvent")


async def fail(context: FakeContext, *, has_answered: bool) -> None:
    """Fail in an invocation, before or after the first message."""
    async with invocation(context) as call:
        call.has_answered = has_answered
        raise FAILED


async def test_nothing_fails() -> None:
    """The code inside answers the call."""
    context = FakeContext()

    async with invocation(context) as call:
        metadata = call.metadata

    assert (metadata, context.sent, context.ends) == ((("dapr-api-token", TOKEN),), [], [])


@pytest.mark.parametrize("has_answered", [False, True])
async def test_an_invocation_fails(*, has_answered: bool) -> None:
    """It ends with its status, and with the invocation's id while that can still be sent."""
    context = FakeContext()

    with pytest.raises(grpc.aio.AbortError):
        await fail(context, has_answered=has_answered)

    assert context.ends == [(CODES.DEADLINE_EXCEEDED, "too slow")]
    assert context.sent == ([] if has_answered else [("wasm-grpc-invocation-id", "1")])


@pytest.mark.parametrize(("let_in", "where"), [(invocation, "invocation 1"), (event, "OnJobEvent")])
async def test_a_bug_of_ours(
    caplog: pytest.LogCaptureFixture, let_in: Callable[[FakeContext], Call], where: str
) -> None:
    """The caller learns nothing about it, and the log has the traceback."""
    context = FakeContext()

    with pytest.raises(grpc.aio.AbortError):
        async with let_in(context):
            raise ZeroDivisionError("private")

    assert context.ends == [(CODES.INTERNAL, "internal error")]
    assert caplog.messages == [f"{where}: internal error"]
    assert "ZeroDivisionError: private" in caplog.text


@pytest.mark.parametrize(
    ("let_in", "is_let_in"),
    [
        (invocation, False),
        (event, True),
        (lambda context: event(context, is_token_checked=True), False),
    ],
    ids=["invocation", "event", "event with a check"],
)
async def test_a_wrong_token(let_in: Callable[[FakeContext], Call], *, is_let_in: bool) -> None:
    """The code inside doesn't run."""
    context = FakeContext("wrong")
    ran = False

    try:
        async with let_in(context):
            ran = True
    except grpc.aio.AbortError:
        pass

    assert ran is is_let_in
    assert [code for code, _ in context.ends] == ([] if is_let_in else [CODES.UNAUTHENTICATED])


async def test_an_event_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    """It ends once, with a status that daprd takes for a failure."""
    context = FakeContext()

    with pytest.raises(grpc.aio.AbortError):
        async with event(context) as call:
            await call.refuse("job 'a': no function receives it")

    assert context.ends == [(CODES.FAILED_PRECONDITION, "job 'a': no function receives it")]
    assert caplog.messages == ["job 'a': no function receives it; the event is to be retried"]


@pytest.mark.parametrize("error", [grpc.aio.BaseError("Server already stopped."), asyncio.CancelledError()])
async def test_the_caller_is_gone(caplog: pytest.LogCaptureFixture, error: BaseException) -> None:
    """The call is over, and no error of ours: nothing is sent or logged."""
    context = FakeContext()

    with caplog.at_level(logging.DEBUG, "wasm_grpc"), pytest.raises(asyncio.CancelledError):
        async with invocation(context):
            raise error

    assert (context.sent, context.ends, caplog.messages) == ([], [], [])


async def test_a_long_reason_to_retry() -> None:
    """It loses its end: a guest may have written far more to standard error than gRPC peers accept."""
    context = FakeContext()

    with pytest.raises(grpc.aio.AbortError):
        async with event(context) as call:
            await call.retry("x" * 100_000)

    ((_, message),) = context.ends
    assert len(message) < 4096
    assert message.endswith("x…")
