"""The CloudEvent of a result."""

from __future__ import annotations

import json
import uuid

import pytest

from wasm_grpc.core.errors import InvocationError
from wasm_grpc.core.model import Reason, Trace
from wasm_grpc.invocation.cloud_event import cloud_event

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize(
    ("content_type", "body", "member"),
    [
        ("image/png", b"\x89PNG", {"data_base64": "iVBORw=="}),
        ("application/octet-stream", b"", {"data_base64": ""}),
        ("application/json", b'{"a": 1.50}', {"data": {"a": 1.5}}),
        ("Application/JSON; charset=utf-8", b"[]", {"data": []}),
        ("application/json", b"{", {"data_base64": "ew=="}),
        ("application/json", b"NaN", {"data_base64": "TmFO"}),
        ("application/json", b"\xff", {"data_base64": "/w=="}),
        ("application/vnd.x+json", b"{}", {"data_base64": "e30="}),
        ("text/plain", 'grün "x"'.encode(), {"data": 'grün "x"'}),
        ("text/plain; charset=latin-1", b"gr\xfcn", {"data_base64": "Z3L8bg=="}),
        ("application/xml", b"<a/>", {"data": "<a/>"}),
    ],
)
def test_data_is_kept(content_type: str, body: bytes, member: dict[str, object]) -> None:
    """JSON and text stand in `data`, where any subscriber looks; all that daprd would spoil there is in base64."""
    event = json.loads(cloud_event(body, content_type, source="s", trace=Trace()))

    assert {key: value for key, value in event.items() if key.startswith("data")} == {
        "datacontenttype": content_type,
        **member,
    }


@pytest.mark.parametrize(
    "body",
    [b'{"a":[%s]}' % b",".join([b"{}"] * 100_000), b'"%s"' % (b"x" * (4 << 20))],
    ids=["many values", "long"],
)
def test_json_that_is_too_long_to_be_checked(body: bytes) -> None:
    """It would hold up all other calls; as text or bytes it could be sent."""
    with pytest.raises(InvocationError) as caught:
        cloud_event(body, "application/json", source="s", trace=Trace())

    assert caught.value.reason is Reason.THEN_FAILED
    assert str(caught.value) == (
        f"its result could not be sent on: it has {len(body)} bytes of JSON; "
        "expected at most 4194304, with 100000 values"
    )
    assert b"data_base64" in cloud_event(body, "application/octet-stream", source="s", trace=Trace())


def test_attributes() -> None:
    """An event has a new id, and the trace under both of its names."""
    event = json.loads(cloud_event(b"", "image/png", source="s", trace=Trace(parent=PARENT, state="a=b")))
    other = json.loads(cloud_event(b"", "image/png", source="s", trace=Trace()))

    assert uuid.UUID(event.pop("id")) != uuid.UUID(other.pop("id"))
    assert event == {
        "specversion": "1.0",
        "source": "s",
        "type": "com.dapr.event.sent",
        "datacontenttype": "image/png",
        "traceid": PARENT,
        "traceparent": PARENT,
        "tracestate": "a=b",
        "data_base64": "",
    }
    assert "traceparent" not in other


def test_an_event_stays_as_it_is() -> None:
    """A function that answers with a CloudEvent has chosen its attributes itself."""
    body = b'{"specversion":"1.0"}'

    assert cloud_event(body, "application/cloudevents+json", source="s", trace=Trace()) == body
