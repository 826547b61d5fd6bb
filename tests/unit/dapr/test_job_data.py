"""A job's data, as it reaches a function."""

from __future__ import annotations

import pytest
from google.protobuf import any_pb2, duration_pb2, empty_pb2, json_format, struct_pb2, wrappers_pb2
from google.protobuf.message import Message

from wasm_grpc.dapr.job_data import Payload, unwrapped

TEXT = "text/plain; charset=utf-8"
JSON = "application/json"


def wrapped(message: Message) -> any_pb2.Any:
    """Pack a message as clients do."""
    data = any_pb2.Any()
    data.Pack(message)
    return data


def json_value(text: str) -> struct_pb2.Value:
    """Read a JSON text as daprd does for jobs that come over HTTP."""
    return json_format.Parse(text, struct_pb2.Value())


@pytest.mark.parametrize(
    ("message", "payload"),
    [
        (json_value('"a \\"b\\" ü"'), Payload('a "b" ü'.encode(), TEXT)),
        (
            json_value('{"a": [1, -2.5, 1e300, true, null, "ü"], "b": {}}'),
            Payload('{"a":[1,-2.5,1e+300,true,null,"ü"],"b":{}}'.encode(), JSON),
        ),
        (json_value("9007199254740992"), Payload(b"9007199254740992", JSON)),
        (json_value("3"), Payload(b"3", JSON)),
        (json_value("null"), Payload(b"null", JSON)),
        (json_value("false"), Payload(b"false", JSON)),
        (struct_pb2.Value(number_value=float("inf")), Payload(b"null", JSON)),
        (struct_pb2.Value(), Payload(b"", "")),
        (json_format.Parse('{"a": 1}', struct_pb2.Struct()), Payload(b'{"a":1}', JSON)),
        (json_format.Parse("[1]", struct_pb2.ListValue()), Payload(b"[1]", JSON)),
        (wrappers_pb2.StringValue(value="ü"), Payload("ü".encode(), TEXT)),
        (wrappers_pb2.BytesValue(value=b"\xff\0"), Payload(b"\xff\0", "application/octet-stream")),
        (empty_pb2.Empty(), Payload(b"", "")),
        (duration_pb2.Duration(seconds=1), Payload(b"\x08\x01", "application/x-protobuf")),
    ],
    ids=[
        "text",
        "object",
        "largest integer",
        "number",
        "null",
        "boolean",
        "infinity",
        "no value",
        "Struct",
        "ListValue",
        "StringValue",
        "BytesValue",
        "Empty",
        "unknown",
    ],
)
def test_data_is_unwrapped(message: Message, payload: Payload) -> None:
    """A string is its text, any other JSON value is JSON, bytes are themselves; an unknown message stays."""
    assert unwrapped(wrapped(message)) == payload


@pytest.mark.parametrize(
    ("data", "payload"),
    [
        (any_pb2.Any(), Payload(b"", "")),
        (any_pb2.Any(value=b"raw"), Payload(b"raw", "application/octet-stream")),
        (
            any_pb2.Any(type_url="x/google.protobuf.Value", value=b"\xff"),
            Payload(b"\xff", "application/x-protobuf"),
        ),
    ],
    ids=["none", "raw", "broken"],
)
def test_data_that_is_not_wrapped(data: any_pb2.Any, payload: Payload) -> None:
    """It is passed on as it is."""
    assert unwrapped(data) == payload
