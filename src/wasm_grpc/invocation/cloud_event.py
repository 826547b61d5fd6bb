"""
Wrap a result in a CloudEvent.

Source: CloudEvents 1.0.2, JSON Event Format. daprd wraps any published bytes in an event by itself, but it
stores data that is neither JSON nor text as a string, and bytes that are not UTF-8 are lost. An event made
here holds such data in ``data_base64``, which daprd forwards unchanged.
"""

from __future__ import annotations

import base64
import json
import uuid
from typing import NoReturn

from wasm_grpc.core.errors import InvocationError
from wasm_grpc.core.model import DAPR_MESSAGE_BYTES, Reason, Trace
from wasm_grpc.core.text import json_values

__all__ = ["CLOUD_EVENT_TYPE", "cloud_event", "is_text", "media_type"]

CLOUD_EVENT_TYPE = "application/cloudevents+json"
"""Media type of an event in JSON; daprd publishes such data unchanged."""
_JSON = "application/json"
_JSON_VALUES = 100_000
"""Limit on a JSON result. Checking it holds up all other calls, for some 30 ms at most, rarely 80."""
_EVENT_TYPE = "com.dapr.event.sent"
"""``type`` that Dapr gives an event by default (``DefaultCloudEventType`` in Dapr's components)."""


def media_type(content_type: str) -> str:
    """
    Return a content type in lower case, without its parameters.
    """
    return content_type.partition(";")[0].strip().lower()


def is_text(content_type: str) -> bool:
    """
    Return whether daprd forwards data of this type as a string (``contenttype`` in Dapr's components).
    """
    return media_type(content_type) == "application/xml" or content_type.lower().startswith("text/")


def cloud_event(body: bytes, content_type: str, *, source: str, trace: Trace) -> bytes:
    """
    Return a result wrapped in a JSON event. A result that is already an event stays unchanged.

    Args:
        body: The result.
        content_type: Media type of the result.
        source: The event's ``source``, a URI reference.
        trace: The caller's trace. Set here, since daprd would start a new one.

    Raises:
        InvocationError: THEN_FAILED if it is JSON that is too long to be checked while other calls wait.
    """
    if media_type(content_type) == CLOUD_EVENT_TYPE:
        return body
    event = {
        "specversion": "1.0",
        "id": str(uuid.uuid4()),
        "source": source,
        "type": _EVENT_TYPE,
        "datacontenttype": content_type,
    }
    if trace.parent:
        # "traceid" is the older name of "traceparent". Without it daprd overwrites both.
        event |= {"traceid": trace.parent, "traceparent": trace.parent, "tracestate": trace.state}
    # The data is appended as bytes, so that a JSON result keeps its exact form.
    name, data = _data_member(body, content_type)
    return json.dumps(event, separators=(",", ":")).encode()[:-1] + f',"{name}":'.encode() + data + b"}"


def _data_member(body: bytes, content_type: str) -> tuple[str, bytes]:
    """
    Return the name of the event member that holds the data, and its JSON value.
    """
    if media_type(content_type) == _JSON and _is_json(body):
        return "data", body
    if is_text(content_type):
        try:
            return "data", json.dumps(body.decode()).encode()
        except UnicodeDecodeError:
            pass  # Another charset: base64 keeps the bytes.
    return "data_base64", b'"' + base64.b64encode(body) + b'"'


def _is_json(body: bytes) -> bool:
    if len(body) > DAPR_MESSAGE_BYTES or json_values(body) > _JSON_VALUES:
        raise InvocationError(
            Reason.THEN_FAILED,
            f"its result could not be sent on: it has {len(body)} bytes of JSON; expected at most "
            f"{DAPR_MESSAGE_BYTES}, with {_JSON_VALUES} values",
        )
    try:
        json.loads(body.decode(), parse_constant=_refuse)
    except (ValueError, RecursionError):
        return False
    return True


def _refuse(constant: str) -> NoReturn:
    # Python accepts NaN and Infinity, which are not JSON.
    raise ValueError(constant)
