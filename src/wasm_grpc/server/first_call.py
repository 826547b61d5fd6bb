"""The first call to a server, which the server makes itself."""

from __future__ import annotations

import contextlib

import grpc
from dapr.proto.runtime.v1 import appcallback_pb2_grpc as services
from google.protobuf import empty_pb2

__all__ = ["make_first_call"]

_CALL_S = 1.0
"""Longest wait for the answer, which takes some 5 ms."""


async def make_first_call(address: str) -> None:
    """
    Check a server's health over a connection of its own, so that no caller pays for the first call.

    gRPC's first connection and call in a process take some 3 ms longer than the next. A failure is ignored.

    Args:
        address: Where the server listens, as ``host:port``.
    """
    options = (("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0))
    async with grpc.aio.insecure_channel(address, options=options) as channel:
        check = services.AppCallbackHealthCheckStub(channel).HealthCheck
        with contextlib.suppress(grpc.aio.AioRpcError):
            await check(empty_pb2.Empty(), timeout=_CALL_S)
