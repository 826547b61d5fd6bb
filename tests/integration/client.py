"""A caller as daprd is one: service invocations and their failures, over grpc.aio."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from dapr.proto.common.v1 import common_pb2
from dapr.proto.runtime.v1 import appcallback_pb2_grpc as services
from google.protobuf import any_pb2, empty_pb2
from google.rpc import error_details_pb2, status_pb2

__all__ = ["Caller", "Failure", "Metadata", "Reply", "connect", "failure_in", "failure_of"]

Metadata = Sequence[tuple[str, str | bytes]]


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What a function answered."""

    body: bytes
    content_type: str
    invocation_id: str


@dataclass(frozen=True, kw_only=True)
class Failure:
    """How a call failed: its status, and the ErrorInfo that comes with it."""

    code: grpc.StatusCode
    message: str
    reason: str = ""
    domain: str = "wasm-grpc"
    function: str = ""
    limit: str = ""
    invocation_id: str = field(default="", compare=False)


class Caller:
    """One channel to a server."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel
        self.callback = services.AppCallbackStub(channel)
        self.alpha = services.AppCallbackAlphaStub(channel)
        self._health = services.AppCallbackHealthCheckStub(channel)

    def start(
        self,
        method: str,
        body: bytes = b"",
        *,
        verb: str = "POST",
        query: str = "",
        content_type: str = "",
        metadata: Metadata = (),
        timeout_s: float | None = 15,
    ) -> Any:
        """Begin a call and return it, to be awaited or cancelled."""
        number = common_pb2.HTTPExtension.Verb.Value(verb)
        request = common_pb2.InvokeRequest(
            method=method,
            data=any_pb2.Any(value=body),
            content_type=content_type,
            http_extension=common_pb2.HTTPExtension(verb=number, querystring=query),
        )
        return self.callback.OnInvoke(request, metadata=tuple(metadata), timeout=timeout_s)

    async def invoke(self, method: str, body: bytes = b"", **options: Any) -> Reply:
        """Call a method; raises `grpc.aio.AioRpcError`."""
        call = self.start(method, body, **options)
        response = await call
        return Reply(
            body=response.data.value,
            content_type=response.content_type,
            invocation_id=str(dict(await call.initial_metadata()).get("wasm-grpc-invocation-id", "")),
        )

    async def fail(self, method: str, body: bytes = b"", **options: Any) -> Failure:
        """Call a method that is expected to fail."""
        return await failure_of(self.start(method, body, **options))

    async def check_health(self, *, timeout_s: float = 5) -> None:
        """Ask as daprd's health probe does."""
        await self._health.HealthCheck(empty_pb2.Empty(), timeout=timeout_s)


@asynccontextmanager
async def connect(address: str) -> AsyncIterator[Caller]:
    """Open a channel of its own, without limits on sizes."""
    options = (
        ("grpc.max_receive_message_length", -1),
        ("grpc.max_send_message_length", -1),
        ("grpc.use_local_subchannel_pool", 1),
    )
    async with grpc.aio.insecure_channel(address, options=options) as channel:
        yield Caller(channel)


async def failure_of(call: Any) -> Failure:
    """Return how a call failed; raises AssertionError if it didn't."""
    try:
        reply = await call
    except grpc.aio.AioRpcError as exc:
        failure = failure_in(exc)
        initial = dict(exc.initial_metadata() or ())
        assert failure.invocation_id == initial.get("wasm-grpc-invocation-id", "")
        return failure
    raise AssertionError(f"the call went well: {reply!r}")


def failure_in(error: grpc.aio.AioRpcError) -> Failure:
    """Return what a call's error says."""
    trailing = dict(error.trailing_metadata() or ())
    info = _info(trailing.get("grpc-status-details-bin"))
    return Failure(
        code=error.code(),
        message=error.details() or "",
        reason=info.reason,
        domain=info.domain,
        function=info.metadata.get("function", ""),
        limit=info.metadata.get("limit", ""),
        invocation_id=info.metadata.get("invocation_id", ""),
    )


def _info(details: str | bytes | None) -> error_details_pb2.ErrorInfo:
    info = error_details_pb2.ErrorInfo()
    if isinstance(details, bytes):
        status = status_pb2.Status.FromString(details)
        assert status.details[0].Unpack(info)
    return info
