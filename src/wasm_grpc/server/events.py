"""The events that daprd delivers, out of the messages that carry them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from dapr.proto.runtime.v1 import appcallback_pb2 as pb
from google.protobuf import json_format, struct_pb2

from wasm_grpc.dapr.envelope import CLOUD_EVENT_TYPE, Trace, is_text, media_type

__all__ = ["Event", "bulk_events", "topic_event"]

_BINARY = "application/octet-stream"
_DELIVERED = frozenset({"application/json", CLOUD_EVENT_TYPE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """
    One message of a topic.

    Attributes:
        pubsub: The pub/sub component.
        topic: The topic.
        path: Of the route by which it was delivered; "" for none.
        id: Of the CloudEvent; "" for a raw payload of a batch.
        source: Of the CloudEvent.
        type: Of the CloudEvent.
        spec_version: Of the CloudEvent.
        content_type: Of the data.
        data: The data, in its own bytes.
        extensions: Further attributes, in daprd's order.
        metadata: Of the broker, for this message alone; keys in lower case.
        is_bulk: It was delivered in a batch.
        is_raw: It is no CloudEvent, but its bare data.
    """

    pubsub: str
    topic: str
    path: str
    id: str = ""
    source: str = ""
    type: str = ""
    spec_version: str = ""
    content_type: str = ""
    data: bytes = b""
    extensions: tuple[tuple[str, str], ...] = ()
    metadata: tuple[tuple[str, str], ...] = ()
    is_bulk: bool = False
    is_raw: bool = False

    @property
    def is_emptied(self) -> bool:
        """
        Whether daprd has left the data out.

        It hands on JSON, text and, in single delivery, what stands in ``data_base64``; of any other type
        it leaves nothing (``GRPCEnvelopeFromSubscriptionMessage`` and ``extractCloudEvent`` of its
        ``pkg/runtime/pubsub``). An event that names no type has no data.
        """
        if self.data or self.is_raw or not self.content_type or is_text(self.content_type):
            return False
        kind = media_type(self.content_type)
        return kind not in _DELIVERED and (self.is_bulk or kind != _BINARY)

    @property
    def missing_attributes(self) -> tuple[str, ...]:
        """
        Those of the attributes that CloudEvents requires (1.0.2, 3.1.1) which it does not have.

        daprd takes any JSON object for an event, so that one which was published bare comes without them,
        and without data.
        """
        if self.is_raw:
            return ()
        required = {"id": self.id, "source": self.source, "type": self.type, "specversion": self.spec_version}
        return tuple(name for name, value in required.items() if not value)

    @property
    def subject(self) -> str:
        """
        The attribute ``subject``, or "".
        """
        return dict(self.extensions).get("subject", "")

    @property
    def trace(self) -> Trace:
        """
        The trace that it belongs to.
        """
        found = dict(self.extensions)
        return Trace(
            parent=found.get("traceparent") or found.get("traceid", ""), state=found.get("tracestate", "")
        )


def topic_event(request: pb.TopicEventRequest) -> Event:
    """
    Give the event of ``OnTopicEvent``.
    """
    return Event(
        pubsub=request.pubsub_name,
        topic=request.topic,
        path=request.path,
        id=request.id,
        source=request.source,
        type=request.type,
        spec_version=request.spec_version,
        content_type=request.data_content_type,
        data=request.data,
        extensions=tuple(_attributes(request.extensions)),
    )


def bulk_events(request: pb.TopicEventBulkRequest) -> list[Event]:
    """
    Give the events of ``OnBulkTopicEvent``, one an entry, in their order.
    """
    return [_bulk_event(request, entry) for entry in request.entries]


def _bulk_event(request: pb.TopicEventBulkRequest, entry: pb.TopicEventBulkRequestEntry) -> Event:
    metadata = tuple((key.lower(), value) for key, value in entry.metadata.items())
    if not entry.HasField("cloud_event"):
        return Event(
            pubsub=request.pubsub_name,
            topic=request.topic,
            path=request.path,
            content_type=entry.content_type or _BINARY,
            data=entry.bytes,
            metadata=metadata,
            is_bulk=True,
            is_raw=True,
        )
    event = entry.cloud_event
    return Event(
        pubsub=request.pubsub_name,
        topic=request.topic,
        path=request.path,
        id=event.id,
        source=event.source,
        type=event.type,
        spec_version=event.spec_version,
        content_type=event.data_content_type,
        data=event.data,
        extensions=tuple(_attributes(event.extensions)),
        metadata=metadata,
        is_bulk=True,
    )


def _attributes(extensions: struct_pb2.Struct) -> Iterator[tuple[str, str]]:
    for name, value in extensions.fields.items():
        kind = value.WhichOneof("kind")
        if kind == "string_value":
            yield name, value.string_value
        elif kind == "bool_value":
            # As CloudEvents writes them in headers (HTTP protocol binding 1.0.2, 3.1.3.1).
            yield name, "true" if value.bool_value else "false"
        elif kind == "number_value":
            number = value.number_value
            yield name, str(int(number)) if number.is_integer() else repr(number)
        elif kind in {"struct_value", "list_value"}:
            yield name, json.dumps(json_format.MessageToDict(value), separators=(",", ":"))
