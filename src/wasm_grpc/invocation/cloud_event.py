"""
The CloudEvent that carries a result.

Source: CloudEvents 1.0.2, JSON Event Format. daprd would make an event of any bytes by itself, but of
a type that is neither JSON nor text it makes a string, and what is no UTF-8 is lost. An event of our own
has such data in ``data_base64``, which daprd hands on whole.
"""

from __future__ import annotations

import base64
import json
import uuid
from dataclasses import dataclass
from typing import NoReturn

__all__ = ["CLOUD_EVENT_TYPE", "Trace", "cloud_event", "is_text", "media_type"]

CLOUD_EVENT_TYPE = "application/cloudevents+json"
"""Media type of an event in JSON: daprd publishes it as it is."""
_JSON = "application/json"
_EVENT_TYPE = "com.dapr.event.sent"
"""``type`` of an event whose publisher names none (``DefaultCloudEventType`` of Dapr's components)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """
    The trace that a result belongs to, as W3C Trace Context writes it; "" for none.
    """

    parent: str = ""
    state: str = ""


def media_type(content_type: str) -> str:
    """
    Return a content type without its parameters, in lower case.
    """
    return content_type.partition(";")[0].strip().lower()


def is_text(content_type: str) -> bool:
    """
    Whether daprd hands data of this type on as a string (``contenttype`` of Dapr's components).
    """
    return media_type(content_type) == "application/xml" or content_type.lower().startswith("text/")


def cloud_event(body: bytes, content_type: str, *, source: str, trace: Trace) -> bytes:
    """
    Return the event of a result, in JSON; a result that is an event already stays as it is.

    Args:
        body: The result.
        content_type: Of the result.
        source: Who made it, a URI reference.
        trace: Set explicitly, since daprd would begin a new one.
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
        # Both: without "traceid", its older name, daprd overwrites the two.
        event |= {"traceid": trace.parent, "traceparent": trace.parent, "tracestate": trace.state}
    name, data = _data_member(body, content_type)
    return json.dumps(event, separators=(",", ":")).encode()[:-1] + f',"{name}":'.encode() + data + b"}"


def _data_member(body: bytes, content_type: str) -> tuple[str, bytes]:
    """
    Return the member of an event that holds its data, and its value in JSON.
    """
    if media_type(content_type) == _JSON and _is_json(body):
        return "data", body
    if is_text(content_type):
        try:
            return "data", json.dumps(body.decode()).encode()
        except UnicodeDecodeError:
            pass  # another charset: its bytes are all that is certain
    return "data_base64", b'"' + base64.b64encode(body) + b'"'


def _is_json(body: bytes) -> bool:
    try:
        json.loads(body.decode(), parse_constant=_refuse)
    except (ValueError, RecursionError):
        return False
    return True


def _refuse(constant: str) -> NoReturn:
    # Python reads NaN and Infinity; JSON has neither.
    raise ValueError(constant)
