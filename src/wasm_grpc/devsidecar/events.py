"""Convert published messages to the events that daprd would deliver."""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections.abc import Mapping
from typing import Any

from dapr.proto.runtime.v1 import appcallback_pb2 as pb
from google.protobuf import struct_pb2

from wasm_grpc.invocation.cloud_event import CLOUD_EVENT_TYPE, is_text, media_type

__all__ = ["event_of", "topic_request"]

_JSON = "application/json"
_BINARY = "application/octet-stream"
_OWN_FIELDS = frozenset(
    {"id", "source", "datacontenttype", "type", "specversion", "data", "data_base64"}
)  # attributes with their own field in `TopicEventRequest`


def event_of(data: bytes, content_type: str, *, source: str) -> dict[str, Any]:
    """
    Return the CloudEvent of a published message (``NewCloudEventsEnvelope`` of Dapr's components).

    Args:
        data: The published data.
        content_type: Media type of the data.
        source: The app that published it.

    Raises:
        ValueError: The content type is that of a CloudEvent, but the data is not a JSON object.
    """
    content_type = content_type or "text/plain"
    defaults = {
        "id": str(uuid.uuid4()),
        "source": source,
        "type": "com.dapr.event.sent",
        "specversion": "1.0",
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    if media_type(content_type) == CLOUD_EVENT_TYPE:
        given = json.loads(data)
        if not isinstance(given, dict):
            raise ValueError("not a JSON object")
        return {**defaults, "source": "Dapr", **given}
    event = {**defaults, "datacontenttype": content_type}
    if media_type(content_type) == _BINARY:
        return {**event, "data_base64": base64.b64encode(data).decode()}
    if media_type(content_type) == _JSON:
        try:
            return {**event, "data": json.loads(data)}
        except ValueError:
            pass  # Invalid JSON becomes a string, as in daprd.
    return {**event, "data": data.decode("utf-8", "replace")}


def topic_request(event: Mapping[str, Any], *, path: str) -> pb.TopicEventRequest:
    """
    Return the call that delivers an event (``GRPCEnvelopeFromSubscriptionMessage`` of daprd).
    """
    content_type = str(event.get("datacontenttype", ""))
    extensions = struct_pb2.Struct()
    extensions.update({key: value for key, value in event.items() if key not in _OWN_FIELDS})
    return pb.TopicEventRequest(
        id=str(event["id"]),
        source=str(event["source"]),
        type=str(event["type"]),
        spec_version=str(event["specversion"]),
        data_content_type=content_type,
        data=_data(event, content_type),
        topic=str(event["topic"]),
        pubsub_name=str(event["pubsubname"]),
        path=path,
        extensions=extensions,
    )


def _data(event: Mapping[str, Any], content_type: str) -> bytes:
    """
    Return the data that reaches an app; b"" for types that daprd doesn't know.
    """
    if isinstance(encoded := event.get("data_base64"), str):
        return base64.b64decode(encoded)
    data = event.get("data")
    if is_text(content_type):
        return data.encode() if isinstance(data, str) else b""
    if data is not None and media_type(content_type) in {_JSON, CLOUD_EVENT_TYPE}:
        return json.dumps(data, separators=(",", ":"), ensure_ascii=False, sort_keys=True).encode()
    return b""
