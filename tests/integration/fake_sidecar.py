"""A sidecar that answers as it is told to, for what stands before one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import grpc
from dapr.proto.common.v1 import common_pb2
from dapr.proto.runtime.v1 import dapr_pb2_grpc, invoke_pb2
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2

__all__ = ["Answering", "Refused", "fake_sidecar"]

Answering = Callable[[invoke_pb2.InvokeServiceRequest], Awaitable[common_pb2.InvokeResponse]]


class Refused(Exception):
    """What a call is refused with; with a reason as our own server sends it."""

    def __init__(self, code: grpc.StatusCode, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.reason = reason

    def trailers(self) -> tuple[tuple[str, bytes], ...]:
        """Return the details of the status."""
        if not self.reason:
            return ()
        details = any_pb2.Any()
        details.Pack(error_details_pb2.ErrorInfo(reason=self.reason, domain="wasm-grpc"))
        status = status_pb2.Status(code=self.code.value[0], message=self.message, details=[details])
        return (("grpc-status-details-bin", status.SerializeToString()),)


class _Sidecar(dapr_pb2_grpc.DaprServicer):
    def __init__(self, answering: Answering) -> None:
        self._answering = answering

    async def InvokeService(
        self, request: invoke_pb2.InvokeServiceRequest, context: grpc.aio.ServicerContext[object, object]
    ) -> common_pb2.InvokeResponse:
        """Answer, or refuse."""
        try:
            return await self._answering(request)
        except Refused as refused:
            await context.abort(refused.code, refused.message, refused.trailers())
            raise


@asynccontextmanager
async def fake_sidecar(answering: Answering) -> AsyncIterator[str]:
    """Run one and yield its address."""
    limits = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    server = grpc.aio.server(options=limits)
    dapr_pb2_grpc.add_DaprServicer_to_server(_Sidecar(answering), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield f"127.0.0.1:{port}"
    await server.stop(None)
