"""Results sent on, as the sidecar is asked."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, cast

import grpc
import pytest
from dapr.proto.common.v1 import common_pb2
from dapr.proto.runtime.v1 import binding_pb2, pubsub_pb2, state_pb2
from google.protobuf.message import Message

from wasm_grpc.core.errors import InvocationError
from wasm_grpc.core.model import Reason, Trace
from wasm_grpc.dapr.output_calls import OutputCalls
from wasm_grpc.dapr.sidecar import Sidecar
from wasm_grpc.invocation.output_requests import (
    BindingRequest,
    OutputRequest,
    PublishRequest,
    StateRequest,
)

pytestmark = pytest.mark.asyncio

TRACE = Trace(parent="00-1-2-01", state="a=b")
OPTIONS = common_pb2.StateOptions


class FakeSidecar:
    """A sidecar that keeps what it is asked, or answers with an error."""

    def __init__(self, code: grpc.StatusCode = grpc.StatusCode.OK) -> None:
        self.calls: list[tuple[str, Message, Any]] = []
        self._code = code

    async def call(self, method: str, request: Message, *, metadata: Any, timeout_s: float) -> None:
        """See `Sidecar.call`."""
        assert timeout_s > 0
        self.calls.append((method, request, metadata))
        if self._code is not grpc.StatusCode.OK:
            empty = grpc.aio.Metadata()
            raise grpc.aio.AioRpcError(self._code, empty, empty, details="redis at 10.0.0.1: refused")


def state_request(**more: Any) -> StateRequest:
    """Return a request to save a value under s/k."""
    given: dict[str, Any] = {"is_first_write": False, "etag": None, "ttl_s": None, **more}
    return StateRequest(store="s", key="k", value=b"v", **given)


def saving(**more: Any) -> state_pb2.SaveStateRequest:
    """Return the message that saves a value under s/k."""
    item = common_pb2.StateItem(key="k", value=b"v", **more)
    return state_pb2.SaveStateRequest(store_name="s", states=[item])


LAST = OPTIONS(concurrency=OPTIONS.CONCURRENCY_LAST_WRITE)
FIRST = OPTIONS(concurrency=OPTIONS.CONCURRENCY_FIRST_WRITE)
CALLS: Mapping[str, tuple[OutputRequest, str, Message]] = {
    "publish": (
        PublishRequest(pubsub="p", topic="t", data=b"d", content_type="c"),
        "PublishEvent",
        pubsub_pb2.PublishEventRequest(pubsub_name="p", topic="t", data=b"d", data_content_type="c"),
    ),
    "state": (state_request(), "SaveState", saving(options=LAST)),
    "first write": (state_request(is_first_write=True), "SaveState", saving(options=FIRST)),
    "etag": (
        state_request(is_first_write=True, etag="5"),
        "SaveState",
        saving(options=FIRST, etag=common_pb2.Etag(value="5")),
    ),
    "time to live": (
        state_request(ttl_s=60),
        "SaveState",
        saving(options=LAST, metadata={"ttlInSeconds": "60"}),
    ),
    "binding": (
        BindingRequest(name="b", operation="create", data=b"d", metadata=(("a", "1"),)),
        "InvokeBinding",
        binding_pb2.InvokeBindingRequest(name="b", operation="create", data=b"d", metadata={"a": "1"}),
    ),
}


@pytest.mark.parametrize(("request_", "method", "message"), CALLS.values(), ids=CALLS)
async def test_a_call(request_: OutputRequest, method: str, message: Message) -> None:
    """Each request is one call of Dapr's API, on the trace of its cause."""
    sidecar = FakeSidecar()

    await OutputCalls(cast(Sidecar, sidecar)).send(request_, TRACE)

    assert sidecar.calls == [(method, message, (("traceparent", "00-1-2-01"), ("tracestate", "a=b")))]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (grpc.StatusCode.UNAVAILABLE, Reason.THEN_UNAVAILABLE),
        (grpc.StatusCode.DEADLINE_EXCEEDED, Reason.THEN_UNAVAILABLE),
        (grpc.StatusCode.ABORTED, Reason.THEN_FAILED),
    ],
)
async def test_a_failure(caplog: pytest.LogCaptureFixture, code: grpc.StatusCode, reason: Reason) -> None:
    """The caller learns the code, and only the log has the sidecar's text, which may name hosts."""
    caplog.set_level(logging.WARNING)

    with pytest.raises(InvocationError) as caught:
        await OutputCalls(cast(Sidecar, FakeSidecar(code))).send(state_request(), Trace())

    assert (caught.value.reason, str(caught.value)) == (
        reason,
        f"its result could not be saved as s/k: {code.name}",
    )
    assert caplog.messages == [f"a result could not be saved as s/k: {code.name}: redis at 10.0.0.1: refused"]
