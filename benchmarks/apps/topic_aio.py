"""App: `grpc.aio` taking a topic's messages and doing nothing, the least that a server of ours has to do."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import Any

import grpc
from dapr.proto.runtime.v1 import appcallback_pb2 as pb
from dapr.proto.runtime.v1 import appcallback_pb2_grpc as services
from google.protobuf import empty_pb2

__all__: list[str] = []

_Context = grpc.aio.ServicerContext[Any, Any]


class _AppCallback(services.AppCallbackServicer):
    def __init__(self, pubsub: str, topic: str) -> None:
        self._subscription = pb.TopicSubscription(
            pubsub_name=pubsub, topic=topic, routes=pb.TopicRoutes(default="/taken")
        )

    async def ListTopicSubscriptions(  # noqa: N802 - Dapr's name
        self,
        request: empty_pb2.Empty,  # noqa: ARG002
        context: _Context,  # noqa: ARG002
    ) -> pb.ListTopicSubscriptionsResponse:
        return pb.ListTopicSubscriptionsResponse(subscriptions=[self._subscription])

    async def OnTopicEvent(  # noqa: N802 - Dapr's name
        self,
        request: pb.TopicEventRequest,  # noqa: ARG002
        context: _Context,  # noqa: ARG002
    ) -> pb.TopicEventResponse:
        return pb.TopicEventResponse()


async def _main(pubsub: str, topic: str) -> None:
    server = grpc.aio.server()
    services.add_AppCallbackServicer_to_server(_AppCallback(pubsub, topic), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    is_over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, is_over.set)
    print(f"serving 127.0.0.1:{port}", flush=True)
    await is_over.wait()
    await server.stop(None)


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
