"""A guest's call to Dapr on the server: what reaches the sidecar, and what the guest is told."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import threading
from collections.abc import Iterator
from typing import Any, ClassVar

import grpc
import pytest
from dapr.proto.common.v1 import common_pb2
from dapr.proto.runtime.v1 import invoke_pb2, state_pb2
from google.protobuf.message import Message

from wasm_grpc.core.model import (
    DAPR_MESSAGE_BYTES,
    DEPTH_LIMIT,
    DaprGrants,
    Grants,
    GuestKind,
    Invocation,
    Limits,
    Origin,
    Trace,
    WorkerFunction,
)
from wasm_grpc.core.wire import DaprAnswer, DaprCall, DaprStatus
from wasm_grpc.dapr.guest_calls import GuestCalls
from wasm_grpc.dapr.sidecar import Metadata

__all__ = []

pytestmark = pytest.mark.asyncio

TRACE = Trace(parent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", state="a=b")
GET = DaprCall("GetState", is_json=True, request=b'{"storeName": "s", "key": "k"}')
INVOKE = DaprCall("InvokeService", is_json=True, request=b'{"id": "app", "message": {"method": "/m"}}')
PUBLISH = DaprCall("PublishEvent", is_json=True, request=b'{"pubsubName": "p", "topic": "t"}')


class FakeSidecar:
    """A sidecar that records each call, and gives one response or error."""

    def __init__(self, response: Message | Exception) -> None:
        self._response = response
        self.calls: list[tuple[str, Message, Metadata, float]] = []

    async def call(self, method: str, request: Message, *, metadata: Metadata, timeout_s: float) -> Any:
        """See `Sidecar.call`."""
        self.calls.append((method, request, metadata, timeout_s))
        if isinstance(self._response, Exception):
            raise self._response
        return self._response


def function(*, is_granted: bool = True) -> WorkerFunction:
    """Return a function with grants, or without any."""
    grants = DaprGrants(state=("s/*",), invoke=("app/m",), publish=("p/t",)) if is_granted else DaprGrants()
    return WorkerFunction(
        name="f", guest=GuestKind.WASI_COMMAND, artifact="", digest="", grants=Grants(dapr=grants)
    )


def failure(code: grpc.StatusCode) -> grpc.aio.AioRpcError:
    """Return an error of the sidecar, whose text names what no guest should learn."""
    empty = grpc.aio.Metadata()
    return grpc.aio.AioRpcError(code, empty, empty, details="dial tcp db.internal:5432")


async def call(
    sidecar: FakeSidecar | None, asked: DaprCall, *, origin: Origin | None = None, is_granted: bool = True
) -> DaprAnswer:
    """Make a call, of an invocation of this origin."""
    invocation = Invocation(id="1", function="f", body=b"", origin=origin or Origin())
    guest_calls = GuestCalls(sidecar)  # type: ignore[arg-type] # as much of a sidecar as is needed
    return await guest_calls.call(asked, invocation, function(is_granted=is_granted), timeout_s=2.5)


async def test_a_call() -> None:
    """The sidecar gets the request and the time that is left; the guest gets the response in its own form."""
    response = state_pb2.GetStateResponse(data=b"v", etag="1")
    request = state_pb2.GetStateRequest(store_name="s", key="k")
    sidecar = FakeSidecar(response)

    as_json = await call(sidecar, GET)
    as_protobuf = await call(
        sidecar, DaprCall("GetState", is_json=False, request=request.SerializeToString())
    )

    assert as_json == DaprAnswer(DaprStatus.OK, response=b'{"data": "dg==", "etag": "1"}')
    assert as_protobuf == DaprAnswer(DaprStatus.OK, response=response.SerializeToString())
    assert sidecar.calls == [("GetState", request, (), 2.5)] * 2


async def test_a_call_continues_the_trace() -> None:
    """Its metadata has the invocation's trace, and no depth: the guest can't wait for an invocation."""
    sidecar = FakeSidecar(state_pb2.GetStateResponse())

    await call(sidecar, GET, origin=Origin(depth=3, trace=TRACE))

    assert sidecar.calls[0][2] == (("traceparent", TRACE.parent), ("tracestate", TRACE.state))


async def test_a_message_continues_the_trace() -> None:
    """Its event is on the invocation's trace, whether or not daprd samples it."""
    sidecar = FakeSidecar(state_pb2.GetStateResponse())

    await call(sidecar, PUBLISH, origin=Origin(trace=TRACE))

    request: Any = sidecar.calls[0][1]
    assert dict(request.metadata) == {
        "cloudevent.traceparent": TRACE.parent,
        "cloudevent.tracestate": TRACE.state,
    }


@pytest.mark.parametrize("depth", [0, DEPTH_LIMIT - 1])
async def test_a_service_learns_the_depth(depth: int) -> None:
    """An invocation of this server's that comes of it may use the processes of its depth."""
    sidecar = FakeSidecar(common_pb2.InvokeResponse())

    answer = await call(sidecar, INVOKE, origin=Origin(depth=depth))

    assert answer.status is DaprStatus.OK
    name, request, metadata, _ = sidecar.calls[0]
    assert (name, metadata) == ("InvokeService", (("wasm-grpc-depth", str(depth + 1)),))
    assert isinstance(request, invoke_pb2.InvokeServiceRequest)


async def test_too_deep_a_call() -> None:
    """Functions that call each other for ever are stopped."""
    sidecar = FakeSidecar(common_pb2.InvokeResponse())

    answer = await call(sidecar, INVOKE, origin=Origin(depth=DEPTH_LIMIT))

    message = "RESOURCE_EXHAUSTED: InvokeService: 8 invocations led here already"
    assert answer == DaprAnswer(DaprStatus.FAILED, message)
    assert sidecar.calls == []


NOT_CALLED: dict[str, tuple[DaprCall, DaprStatus, str]] = {
    "another method": (
        DaprCall("Shutdown", is_json=True, request=b"{}"),
        DaprStatus.DENIED,
        "'Shutdown' may not be called; expected one of GetState, GetBulkState, ",
    ),
    "a forged name": (
        DaprCall("A\n\x1b[31m" + "x" * 1000, is_json=True, request=b"{}"),
        DaprStatus.DENIED,
        r"'A\n\x1b[31mxxx",
    ),
    "not granted": (
        DaprCall("GetState", is_json=True, request=b'{"storeName": "t", "key": "k"}'),
        DaprStatus.DENIED,
        "GetState: state 't/k' is not granted; expected a grant in capabilities.dapr.state",
    ),
    "a long key": (
        DaprCall("GetState", is_json=True, request=b'{"storeName": "t", "key": "' + b"k" * 10_000 + b'"}'),
        DaprStatus.DENIED,
        "GetState: state 't/kkk",
    ),
    "a wrong request": (
        DaprCall("GetState", is_json=True, request=b"[]"),
        DaprStatus.INVALID,
        "GetState: request: expected a JSON object for dapr.proto.runtime.v1.GetStateRequest",
    ),
    "no key": (
        DaprCall("GetState", is_json=True, request=b'{"storeName": "s"}'),
        DaprStatus.INVALID,
        "GetState: request: key: is empty; expected a name",
    ),
    "too long": (
        DaprCall("GetState", is_json=True, request=b" " * (DAPR_MESSAGE_BYTES + 1)),
        DaprStatus.INVALID,
        "GetState: request of 4194305 bytes; expected at most 4194304",
    ),
}


@pytest.mark.parametrize(("asked", "status", "message"), NOT_CALLED.values(), ids=NOT_CALLED)
async def test_what_does_not_reach_the_sidecar(asked: DaprCall, status: DaprStatus, message: str) -> None:
    """The guest is told why, in one short line that can be printed."""
    sidecar = FakeSidecar(state_pb2.GetStateResponse())

    answer = await call(sidecar, asked)

    assert (answer.status, answer.response) == (status, b"")
    assert answer.message.startswith(message)
    assert answer.message.isprintable()
    assert len(answer.message) < 600
    assert sidecar.calls == []


class SlowGrants(tuple[str, ...]):
    """Grants that know on which threads they were read, and whether two threads read them at once."""

    __slots__ = ()

    threads: ClassVar[set[int]] = set()
    overlaps: ClassVar[list[bool]] = []
    _both: ClassVar[threading.Barrier] = threading.Barrier(2)

    def __iter__(self) -> Iterator[str]:
        """Record the thread, and wait a moment for another."""
        self.threads.add(threading.get_ident())
        try:
            self._both.wait(timeout=0.2)
            self.overlaps.append(True)
        except threading.BrokenBarrierError:
            self.overlaps.append(False)
            self._both.reset()
        return super().__iter__()


async def test_long_requests_are_checked_on_one_thread() -> None:
    """They may name thousands of keys, and the server has other calls to answer meanwhile."""
    guest_calls = GuestCalls(FakeSidecar(state_pb2.GetStateResponse()))  # type: ignore[arg-type] # see `call`
    asked = state_pb2.GetStateRequest(store_name="s", key="k" * 5000).SerializeToString()
    granted = dataclasses.replace(function(), grants=Grants(dapr=DaprGrants(state=SlowGrants(("s/*",)))))

    answers = await asyncio.gather(
        *(
            guest_calls.call(
                DaprCall("GetState", is_json=False, request=asked),
                Invocation(id="1", function="f", body=b""),
                granted,
                timeout_s=2.5,
            )
            for _ in range(2)
        )
    )

    assert answers == [DaprAnswer(DaprStatus.OK)] * 2
    assert threading.get_ident() not in SlowGrants.threads
    assert SlowGrants.overlaps == [False, False]


async def test_a_function_without_grants() -> None:
    """A worker that calls for it all the same is told as little as of a method that there isn't."""
    sidecar = FakeSidecar(state_pb2.GetStateResponse())

    answer = await call(sidecar, GET, is_granted=False)

    assert answer.status is DaprStatus.DENIED
    assert answer.message.startswith("'GetState' may not be called; expected one of ")
    assert sidecar.calls == []


async def test_without_a_sidecar() -> None:
    """The guest is told that there is none."""
    answer = await call(None, GET)

    assert answer == DaprAnswer(DaprStatus.UNAVAILABLE, "GetState: this server has no sidecar")


@pytest.mark.parametrize(
    ("code", "status", "message"),
    [
        (
            grpc.StatusCode.ABORTED,
            DaprStatus.FAILED,
            "ABORTED: GetState: Dapr answered with this error",
        ),
        (
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            DaprStatus.FAILED,
            "RESOURCE_EXHAUSTED: GetState: Dapr answered with this, or with over 4194304 bytes",
        ),
        (
            grpc.StatusCode.UNAVAILABLE,
            DaprStatus.UNAVAILABLE,
            "GetState: Dapr or the app can't be reached",
        ),
    ],
)
async def test_an_error_of_the_sidecar(
    caplog: pytest.LogCaptureFixture, code: grpc.StatusCode, status: DaprStatus, message: str
) -> None:
    """The guest gets the code; what the sidecar says of hosts is in the server's log alone."""
    caplog.set_level(logging.INFO, "wasm_grpc.dapr")

    answer = await call(FakeSidecar(failure(code)), GET)

    assert answer == DaprAnswer(status, message)
    assert caplog.messages == [f"invocation 1: GetState: {code.name}: dial tcp db.internal:5432"]


@pytest.mark.parametrize("asked", [INVOKE, GET], ids=["invoke", "state"])
async def test_an_app_that_does_not_answer_in_time(asked: DaprCall) -> None:
    """After a service invocation that took all its time, the next is not made; other methods always are."""
    sidecar = FakeSidecar(failure(grpc.StatusCode.DEADLINE_EXCEEDED))
    guest_calls = GuestCalls(sidecar)  # type: ignore[arg-type] # as much of a sidecar as is needed
    invocation = Invocation(id="1", function="f", body=b"")
    impatient = dataclasses.replace(function(), limits=Limits(dapr_timeout_s=1e-9))

    answers = [await guest_calls.call(asked, invocation, impatient, timeout_s=1e-9) for _ in range(2)]

    assert answers[0].status is DaprStatus.FAILED
    if asked is GET:
        assert (answers[1], len(sidecar.calls)) == (answers[0], 2)
    else:
        message = "InvokeService: app 'app' has not answered for a while"
        assert (answers[1], len(sidecar.calls)) == (DaprAnswer(DaprStatus.UNAVAILABLE, message), 1)


async def test_a_bug_of_the_server(caplog: pytest.LogCaptureFixture) -> None:
    """The guest gets an answer all the same, and what went wrong is in the server's log alone."""
    sidecar = FakeSidecar(RuntimeError("in /srv/secret"))

    answer = await call(sidecar, GET)

    assert answer == DaprAnswer(DaprStatus.FAILED, "INTERNAL: GetState: the server failed")
    assert caplog.messages == ["invocation 1: call to Dapr"]
    assert "in /srv/secret" in caplog.text


async def test_too_long_a_response() -> None:
    """It isn't handed to the guest, whose worker has no memory for it."""
    answer = await call(FakeSidecar(state_pb2.GetStateResponse(data=bytes(DAPR_MESSAGE_BYTES))), GET)

    assert answer.status is DaprStatus.FAILED
    assert answer.message.startswith("RESOURCE_EXHAUSTED: GetState: response of 41943")
