"""Topics: the calls that list the subscriptions and deliver messages, one by one or in batches."""

from __future__ import annotations

from dapr.proto.runtime.v1 import appcallback_pb2 as pb
from google.protobuf import empty_pb2

from wasm_grpc.dapr.events import bulk_events, topic_event
from wasm_grpc.dapr.subscriptions import subscriptions_response
from wasm_grpc.invocation.deployment import Deployment
from wasm_grpc.invocation.outcomes import Verdict
from wasm_grpc.invocation.runner import Runner
from wasm_grpc.invocation.triggers.topic import Consumer
from wasm_grpc.server.calls import Calls
from wasm_grpc.server.failures import Context

__all__ = ["TopicCalls"]

_STATUSES = {
    Verdict.SUCCESS: pb.TopicEventResponse.SUCCESS,
    Verdict.RETRY: pb.TopicEventResponse.RETRY,
    Verdict.DROP: pb.TopicEventResponse.DROP,
}


class TopicCalls:
    """
    Serve deliveries of messages.
    """

    def __init__(self, deployment: Deployment, runner: Runner, calls: Calls) -> None:
        self._deployment = deployment
        self._consumer = Consumer(deployment, runner)
        self._calls = calls

    async def ListTopicSubscriptions(
        self, request: empty_pb2.Empty, context: Context
    ) -> pb.ListTopicSubscriptionsResponse:
        """
        Return the functions' subscriptions. daprd asks once in its lifetime, and sends no token.
        """
        return subscriptions_response(self._deployment.catalogue.subscriptions.values())

    async def OnTopicEvent(self, request: pb.TopicEventRequest, context: Context) -> pb.TopicEventResponse:
        """
        Run the function that receives the message. A failed invocation becomes a status, not a gRPC error.
        """
        async with self._calls.event(context, "OnTopicEvent") as call:
            verdict = await self._consumer.consume(topic_event(request), call.metadata)
            return pb.TopicEventResponse(status=_STATUSES[verdict])

    async def OnBulkTopicEvent(
        self, request: pb.TopicEventBulkRequest, context: Context
    ) -> pb.TopicEventBulkResponse:
        """
        Handle a batch of messages. Every entry gets a status, since daprd retries entries without one.
        """
        async with self._calls.event(context, "OnBulkTopicEvent") as call:
            verdicts = await self._consumer.consume_batch(bulk_events(request), call.metadata)
            return pb.TopicEventBulkResponse(
                statuses=[
                    pb.TopicEventBulkResponseEntry(entry_id=entry.entry_id, status=_STATUSES[verdict])
                    for entry, verdict in zip(request.entries, verdicts, strict=True)
                ]
            )

    async def OnBulkTopicEventAlpha1(
        self, request: pb.TopicEventBulkRequest, context: Context
    ) -> pb.TopicEventBulkResponse:
        """
        Handle `OnBulkTopicEvent` under its name before daprd 1.17.
        """
        return await self.OnBulkTopicEvent(request, context)
