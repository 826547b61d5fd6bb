"""The least `grpc.aio` app that daprd could call: every invocation goes through one coroutine."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from dapr.proto.common.v1 import common_pb2
from dapr.proto.runtime.v1 import appcallback_pb2_grpc as services

__all__ = ["Answer", "run", "serve"]

Answer = Callable[[str, bytes], Awaitable[bytes]]
"""Takes a method and a body."""

_ANY_SIZE = (("grpc.max_receive_message_length", -1),)


class _AppCallback(services.AppCallbackServicer):
    def __init__(self, answer: Answer, content_type: str) -> None:
        self._answer = answer
        self._content_type = content_type

    async def OnInvoke(  # noqa: N802 - Dapr's name
        self,
        request: common_pb2.InvokeRequest,
        context: grpc.aio.ServicerContext[Any, Any],  # noqa: ARG002
    ) -> common_pb2.InvokeResponse:
        response = common_pb2.InvokeResponse(content_type=self._content_type)
        # Not `data=Any(value=…)`, which copies the body once more.
        response.data.value = await self._answer(request.method, request.data.value)
        return response


async def serve(answer: Answer, *, content_type: str) -> None:
    """
    Answer invocations; as `run`.
    """
    servicer = _AppCallback(answer, content_type)
    await run(lambda server: services.add_AppCallbackServicer_to_server(servicer, server))


async def run(add: Callable[[grpc.aio.Server], None]) -> None:
    """
    Serve what `add` registers on a free port, say on which, and stop on SIGTERM.
    """
    server = grpc.aio.server(options=_ANY_SIZE)
    add(server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    is_over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, is_over.set)
    print(f"serving 127.0.0.1:{port}", flush=True)
    await is_over.wait()
    await server.stop(None)
