"""App: `grpc.aio` taking a topic's messages and doing nothing, the least that a server of ours has to do."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import grpc
from dapr.proto.runtime.v1 import appcallback_pb2 as pb
from dapr.proto.runtime.v1 import appcallback_pb2_grpc as services
from google.protobuf import empty_pb2

from benchmarks.apps.callback import run

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


if __name__ == "__main__":
    callback = _AppCallback(*sys.argv[1:])
    asyncio.run(run(lambda server: services.add_AppCallbackServicer_to_server(callback, server)))
