"""The streams' service where gRPC's library ends a call in the middle."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any, cast

import grpc
import pytest

from wasm_grpc.core.errors import InvocationError
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


class FakeContext:
    """A call whose server has stopped."""

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        """Return none."""
        return ()

    def add_done_callback(self, _: object) -> None:
        """Ignore it."""


class Stopped:
    """The messages of a call, read as grpc.aio does once its server has stopped."""

    def __aiter__(self) -> AsyncIterator[pb.InvokeRequest]:
        """Return itself."""
        return self

    async def __anext__(self) -> pb.InvokeRequest:
        """End."""
        raise grpc.aio.BaseError("Server already stopped.")


async def test_a_stream_in_the_servers_last_moment(caplog: pytest.LogCaptureFixture) -> None:
    """It is over, and no error of ours: nothing is logged."""
    calls = Calls(Answers(), token="", is_event_token_checked=False)
    functions = Functions(cast("Streams", FakeStreams()), calls)

    with caplog.at_level(logging.DEBUG), pytest.raises(asyncio.CancelledError):
        await functions.Invoke(Stopped(), cast("Any", FakeContext()))

    assert [record.getMessage() for record in caplog.records if record.name.startswith("wasm_grpc")] == []
