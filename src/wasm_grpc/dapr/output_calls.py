"""Results that ``then`` sends on, as calls of the sidecar."""

from __future__ import annotations

import logging

import grpc
from dapr.proto.common.v1 import common_pb2
from dapr.proto.runtime.v1 import binding_pb2, pubsub_pb2, state_pb2
from google.protobuf.message import Message

from wasm_grpc.core.errors import InvocationError
from wasm_grpc.core.model import Reason, Trace
from wasm_grpc.dapr.sidecar import UNREACHABLE, Sidecar, describe, trace_metadata
from wasm_grpc.invocation.output_requests import OutputRequest, PublishRequest, StateRequest

__all__ = ["OutputCalls"]

_log = logging.getLogger("wasm_grpc.dapr")

_CALL_S = 10.0
"""Deadline of a call. A later answer is most likely a failure, and meanwhile the event or caller waits."""


class OutputCalls:
    """
    A `Sender` on one sidecar. Safe for concurrent calls.
    """

    def __init__(self, sidecar: Sidecar) -> None:
        self._sidecar = sidecar

    async def send(self, request: OutputRequest, trace: Trace) -> None:
        """
        See `Sender.send`. The sidecar's own message is only logged, since it may name hosts of a component.
        """
        method, message = _call(request)
        try:
            await self._sidecar.call(method, message, metadata=trace_metadata(trace), timeout_s=_CALL_S)
        except grpc.aio.AioRpcError as exc:
            code = exc.code()
            _log.warning("a result could not be %s: %s", request, describe(exc))
            reason = Reason.THEN_UNAVAILABLE if code in UNREACHABLE else Reason.THEN_FAILED
            raise InvocationError(reason, f"its result could not be {request}: {code.name}") from exc


def _call(request: OutputRequest) -> tuple[str, Message]:
    """
    Return the method of Dapr's API and its request.
    """
    if isinstance(request, PublishRequest):
        return "PublishEvent", pubsub_pb2.PublishEventRequest(
            pubsub_name=request.pubsub,
            topic=request.topic,
            data=request.data,
            data_content_type=request.content_type,
        )
    if isinstance(request, StateRequest):
        return "SaveState", state_pb2.SaveStateRequest(store_name=request.store, states=[_item(request)])
    return "InvokeBinding", binding_pb2.InvokeBindingRequest(
        name=request.name,
        operation=request.operation,
        data=request.data,
        metadata=dict(request.metadata),
    )


def _item(request: StateRequest) -> common_pb2.StateItem:
    options = common_pb2.StateOptions
    return common_pb2.StateItem(
        key=request.key,
        value=request.value,
        etag=None if request.etag is None else common_pb2.Etag(value=request.etag),
        metadata={} if request.ttl_s is None else {"ttlInSeconds": str(request.ttl_s)},
        options=options(
            concurrency=options.CONCURRENCY_FIRST_WRITE
            if request.is_first_write
            else options.CONCURRENCY_LAST_WRITE
        ),
    )
