"""The functions' subscriptions as the response to daprd's ``ListTopicSubscriptions``."""

from __future__ import annotations

from collections.abc import Iterable

from dapr.proto.runtime.v1 import appcallback_pb2 as pb

from wasm_grpc.catalogue.subscriptions import Subscription

__all__ = ["subscriptions_response"]


def subscriptions_response(subscriptions: Iterable[Subscription]) -> pb.ListTopicSubscriptionsResponse:
    """
    Return the response. daprd asks once in its lifetime.
    """
    return pb.ListTopicSubscriptionsResponse(subscriptions=map(_topic_subscription, subscriptions))


def _topic_subscription(subscription: Subscription) -> pb.TopicSubscription:
    bulk = None
    if subscription.bulk is not None:
        bulk = pb.BulkSubscribeConfig(
            enabled=True,
            max_messages_count=subscription.bulk.max_messages,
            max_await_duration_ms=round(subscription.bulk.max_await * 1000),
        )
    return pb.TopicSubscription(
        pubsub_name=subscription.pubsub,
        topic=subscription.topic,
        metadata=subscription.metadata,
        routes=pb.TopicRoutes(
            rules=[pb.TopicRule(match=rule.match, path=rule.path) for rule in subscription.rules],
            default=subscription.default_path,
        ),
        dead_letter_topic=subscription.dead_letter,
        bulk_subscribe=bulk,
    )
