"""Events out of daprd's messages, and what a guest learns of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from dapr.proto.runtime.v1 import appcallback_pb2 as pb
from google.protobuf import struct_pb2

from wasm_grpc import __version__
from wasm_grpc.core.model import Trace
from wasm_grpc.dapr.events import bulk_events, topic_event
from wasm_grpc.invocation.environment import event_environment, trace_of
from wasm_grpc.invocation.event import Event


def struct(**values: Any) -> struct_pb2.Struct:
    """Return a protobuf struct of values."""
    extensions = struct_pb2.Struct()
    extensions.update(values)
    return extensions


def test_a_single_event() -> None:
    """Every attribute has its place, and extensions are text as CloudEvents writes it in headers."""
    request = pb.TopicEventRequest(
        id="1",
        source="/s",
        type="x.y",
        spec_version="1.0",
        data_content_type="text/plain",
        data=b"data",
        topic="t",
        pubsub_name="p",
        path="f/0",
        extensions=struct(text="a", whole=3, part=2.5, yes=True, no=False, none=None, table={"a": [1.5]}),
    )

    event = topic_event(request)

    extensions = dict(event.extensions)
    assert extensions == {
        "text": "a",
        "whole": "3",
        "part": "2.5",
        "yes": "true",
        "no": "false",
        "table": '{"a":[1.5]}',
    }
    assert event == Event(
        pubsub="p",
        topic="t",
        path="f/0",
        id="1",
        source="/s",
        type="x.y",
        spec_version="1.0",
        content_type="text/plain",
        data=b"data",
        extensions=event.extensions,
    )


def test_the_entries_of_a_batch() -> None:
    """An entry is a CloudEvent or bare bytes, each with metadata of its own."""
    event = pb.TopicEventCERequest(
        id="1", data_content_type="text/plain", data=b"a", extensions=struct(subject="s")
    )
    entries = [
        pb.TopicEventBulkRequestEntry(entry_id="1", cloud_event=event, metadata={"Key": "1"}),
        pb.TopicEventBulkRequestEntry(entry_id="2", bytes=b"b", content_type="image/png"),
        pb.TopicEventBulkRequestEntry(entry_id="3"),
    ]

    events = bulk_events(pb.TopicEventBulkRequest(entries=entries, topic="t", pubsub_name="p", path="f/0"))

    batched = Event(pubsub="p", topic="t", path="f/0", is_bulk=True)
    assert events == [
        replace(
            batched,
            id="1",
            content_type="text/plain",
            data=b"a",
            extensions=(("subject", "s"),),
            metadata=(("key", "1"),),
        ),
        replace(batched, content_type="image/png", data=b"b", is_raw=True),
        replace(batched, content_type="application/octet-stream", is_raw=True),
    ]


@pytest.mark.parametrize(
    ("content_type", "is_bulk", "is_raw", "expected"),
    [
        ("image/png", False, False, True),
        ("application/vnd.x+json", False, False, True),
        ("image/png; q=1", True, False, True),
        ("", False, False, False),
        ("text/csv", False, False, False),
        ("application/xml", True, False, False),
        ("application/json; charset=utf-8", False, False, False),
        ("application/cloudevents+json", True, False, False),
        ("application/octet-stream", False, False, False),
        ("application/octet-stream", True, False, True),
        ("application/octet-stream", True, True, False),
        ("image/png", True, True, False),
    ],
)
def test_what_daprd_empties(content_type: str, *, is_bulk: bool, is_raw: bool, expected: bool) -> None:
    """An empty event of a type whose data daprd leaves out has lost it; data that is there is not lost."""
    event = Event(pubsub="p", topic="t", path="", content_type=content_type, is_bulk=is_bulk, is_raw=is_raw)
    full = Event(
        pubsub="p", topic="t", path="", content_type=content_type, is_bulk=is_bulk, is_raw=is_raw, data=b"x"
    )

    assert event.is_emptied is expected
    assert not full.is_emptied


@pytest.mark.parametrize("is_bulk", [False, True], ids=["single", "bulk"])
def test_what_is_no_cloud_event(*, is_bulk: bool) -> None:
    """Daprd makes an event without required attributes of any JSON object; a raw payload needs none."""
    whole = Event(
        pubsub="p", topic="t", path="", id="1", source="s", type="x", spec_version="1.0", is_bulk=is_bulk
    )
    bare = Event(pubsub="p", topic="t", path="", spec_version="1.0", is_bulk=is_bulk)

    assert whole.missing_attributes == ()
    assert bare.missing_attributes == ("id", "source", "type")
    assert replace(bare, is_raw=True).missing_attributes == ()


@pytest.mark.parametrize(
    ("extensions", "trace"),
    [
        ((), Trace()),
        ((("traceparent", "a"), ("traceid", "b"), ("tracestate", "c")), Trace(parent="a", state="c")),
        ((("traceparent", ""), ("traceid", "b")), Trace(parent="b")),
    ],
)
def test_an_events_trace(extensions: tuple[tuple[str, str], ...], trace: Trace) -> None:
    """The trace stands under its new name, or else under its old one."""
    assert Event(pubsub="p", topic="t", path="", extensions=extensions).trace == trace


def test_a_calls_trace() -> None:
    """A service invocation's trace is in its metadata."""
    metadata = (("traceparent", "a"), ("tracestate", "b"), ("grpc-trace-bin", b"c"))

    assert trace_of(metadata) == Trace(parent="a", state="b")


def test_attributes_that_are_no_variables() -> None:
    """Empty attributes, and names that no variable can have, are left out; none replaces another."""
    event = Event(
        pubsub="p",
        topic="t",
        path="",
        id="1",
        extensions=(
            ("ID", "2"),
            ("empty", ""),
            ("a=b", "x"),
            ("größe", "x"),
            ("comexample_x", "y"),
            ("nul", "a\0b"),
        ),
    )

    found = dict(event_environment(event, ()))

    assert {name: value for name, value in found.items() if name.startswith("CE_")} == {
        "CE_ID": "1",
        "CE_COMEXAMPLE_X": "y",
        "CE_NUL": "ab",
    }


def test_an_author_has_the_last_word() -> None:
    """What the manifest sets is not the event's, and a CGI guest is told that it is one."""
    event = Event(pubsub="p", topic="t", path="", id="1", type="x", content_type="text/plain", data=b"abc")
    metadata = (("dapr-api-token", "secret"), ("key", "broker's"))

    found = dict(event_environment(event, metadata, withheld=("CE_TYPE",), is_cgi=True))

    assert found == {
        "REQUEST_METHOD": "POST",
        "QUERY_STRING": "",
        "CONTENT_TYPE": "text/plain",
        "CONTENT_LENGTH": "3",
        "PATH_INFO": "",
        "CE_ID": "1",
        "SCRIPT_NAME": "",
        "GATEWAY_INTERFACE": "CGI/1.1",
        "SERVER_SOFTWARE": f"wasm-grpc/{__version__}",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_KEY": "broker's",
    }


def test_a_brokers_keys() -> None:
    """Keys with underscores have variables, but never another key's, whatever their order."""
    event = Event(pubsub="p", topic="t", path="", id="1")
    metadata = (
        ("x_a", "underscore"),
        ("x-a", "dash"),
        ("__key", "k"),
        ("dapr_api_token", "secret"),
        ("a.b", "c"),
    )

    found = dict(event_environment(event, metadata))

    assert {name: value for name, value in found.items() if name.startswith("HTTP_")} == {
        "HTTP_X_A": "dash",
        "HTTP___KEY": "k",
        "HTTP_A_B": "c",
    }


def test_an_extension_that_json_has_not() -> None:
    """A list with NaN or an infinity, which daprd can't send, is left out; the event is delivered."""
    request = pb.TopicEventRequest(
        id="1", extensions=struct(nan=[float("nan")], inf={"a": float("inf")}, b="c")
    )

    assert topic_event(request).extensions == (("b", "c"),)
