"""Convert daprd's event messages to `Event`."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator

from dapr.proto.runtime.v1 import appcallback_pb2 as pb
from google.protobuf import json_format, struct_pb2

from wasm_grpc.invocation.event import OCTET_STREAM, Event
from wasm_grpc.invocation.triggers.binding import BindingEvent

__all__ = ["binding_event", "bulk_events", "topic_event"]


def topic_event(request: pb.TopicEventRequest) -> Event:
    """
    Return the event of ``OnTopicEvent``.
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
    Return the events of ``OnBulkTopicEvent``, one for each entry, in their order.
    """
    return [_bulk_event(request, entry) for entry in request.entries]


def binding_event(request: pb.BindingEventRequest) -> BindingEvent:
    """
    Return the event of ``OnBindingEvent``.
    """
    return BindingEvent(
        name=request.name,
        data=request.data,
        metadata=tuple((key.lower(), value) for key, value in request.metadata.items()),
    )


def _bulk_event(request: pb.TopicEventBulkRequest, entry: pb.TopicEventBulkRequestEntry) -> Event:
    # Lower case, like the metadata of a gRPC call: both become variables in the same way.
    metadata = tuple((key.lower(), value) for key, value in entry.metadata.items())
    if not entry.HasField("cloud_event"):
        return Event(
            pubsub=request.pubsub_name,
            topic=request.topic,
            path=request.path,
            content_type=entry.content_type or OCTET_STREAM,
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
            # Booleans as CloudEvents writes them in headers (HTTP protocol binding 1.0.2, 3.1.3.1).
            yield name, "true" if value.bool_value else "false"
        elif kind == "number_value":
            number = value.number_value
            # A protobuf Struct has only doubles; CloudEvents has integers.
            yield name, str(int(number)) if number.is_integer() else repr(number)
        elif kind in {"struct_value", "list_value"}:
            # It may hold NaN or an infinity, which JSON doesn't have: only a peer that isn't daprd sends one.
            with contextlib.suppress(ValueError):
                yield name, json.dumps(json_format.MessageToDict(value), separators=(",", ":"))
