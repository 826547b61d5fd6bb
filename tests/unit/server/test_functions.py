"""The streams' service where gRPC's library ends a call in the middle."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Any, cast

import grpc
import pytest

from wasm_grpc.core.errors import InvocationError
from wasm_grpc.core.observers import Observers
from wasm_grpc.invocation.response import Response
from wasm_grpc.invocation.triggers.stream import Streams
from wasm_grpc.server.answers import Answers
from wasm_grpc.server.calls import Calls
from wasm_grpc.server.functions import Functions
from wasm_grpc.v1 import functions_pb2 as pb

pytestmark = pytest.mark.asyncio


class FakeStreams:
    """Takes no stream, and refuses none."""

    def next_id(self) -> str:
        """Return an id."""
        return "1"

    async def refusal(self) -> InvocationError:
        """Wait for ever."""
        await asyncio.Event().wait()
        raise AssertionError


class OneStream(FakeStreams):
    """Takes one stream, whose answer is ready, and keeps how it was left."""

    def __init__(self) -> None:
        self.left_with: BaseException | None = None

    @contextlib.asynccontextmanager
    async def open(self, *_: object) -> AsyncIterator[OneStream]:
        """Return itself as the call."""
        try:
            yield self
        except BaseException as exc:
            self.left_with = exc
            raise

    async def started(self) -> None:
        """Return at once."""

    async def header(self) -> Response:
        """Return a header."""
        return Response(content_type="text/plain")


class FakeContext:
    """A call whose server has stopped."""

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        """Return none."""
        return ()

    def add_done_callback(self, _: object) -> None:
        """Ignore it."""

    async def write(self, _: object) -> None:
        """Fail as grpc.aio does once its server has stopped."""
        raise grpc.aio.UsageError("Server already stopped.")


async def _one_header() -> AsyncIterator[pb.InvokeRequest]:
    yield pb.InvokeRequest(header=pb.RequestHeader(method="f"))


class Stopped:
    """The messages of a call, read as grpc.aio does once its server has stopped."""

    def __aiter__(self) -> AsyncIterator[pb.InvokeRequest]:
        """Return itself."""
        return self

    async def __anext__(self) -> pb.InvokeRequest:
        """End."""
        raise grpc.aio.BaseError("Server already stopped.")


def _calls() -> Calls:
    return Calls(Answers(), Observers(), token="", is_event_token_checked=False)


async def test_a_stream_in_the_servers_last_moment(caplog: pytest.LogCaptureFixture) -> None:
    """It is over, and no error of ours: nothing is logged."""
    functions = Functions(cast("Streams", FakeStreams()), _calls())

    with caplog.at_level(logging.DEBUG), pytest.raises(asyncio.CancelledError):
        await functions.Invoke(Stopped(), cast("Any", FakeContext()))

    assert [record.getMessage() for record in caplog.records if record.name.startswith("wasm_grpc")] == []


async def test_a_stream_that_the_server_no_longer_answers() -> None:
    """Its invocation ends as one whose caller is gone, not as an error of ours."""
    streams = OneStream()
    functions = Functions(cast("Streams", streams), _calls())

    with pytest.raises(asyncio.CancelledError):
        await functions.Invoke(_one_header(), cast("Any", FakeContext()))

    assert isinstance(streams.left_with, asyncio.CancelledError)
