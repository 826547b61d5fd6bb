"""The data of a job, unwrapped as a function gets it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from google.protobuf import any_pb2, struct_pb2, wrappers_pb2
from google.protobuf.message import DecodeError

from wasm_grpc.invocation.event import OCTET_STREAM

__all__ = ["Payload", "unwrapped"]

_JSON = "application/json"
_TEXT = "text/plain; charset=utf-8"
_PROTOBUF = "application/x-protobuf"


class Payload(NamedTuple):
    """
    What a function gets of a job's data.
    """

    body: bytes
    content_type: str


_NOTHING = Payload(b"", "")


def unwrapped(data: any_pb2.Any) -> Payload:
    """
    Return a job's data without what it was wrapped in when the job was scheduled.

    Over HTTP, Dapr wraps the data in a ``google.protobuf.Value``: a JSON string becomes its text, and any
    other value JSON. Clients of gRPC choose the wrapping. Data of an unknown type stays as it is.
    """
    # The type's name is what follows the last slash (google/protobuf/any.proto).
    name = data.type_url.rpartition("/")[2]
    read = _READERS.get(name)
    try:
        return read(data.value) if read else Payload(data.value, _PROTOBUF)
    except (DecodeError, RecursionError):
        return Payload(data.value, _PROTOBUF)


def _value_payload(data: bytes) -> Payload:
    value = struct_pb2.Value.FromString(data)
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        return _text_payload(value.string_value)
    # Data that was not given arrives as a value of no kind.
    return _NOTHING if kind is None else _json_payload(_plain(value))


def _text_payload(text: str) -> Payload:
    return Payload(text.encode(), _TEXT)


def _json_payload(value: object) -> Payload:
    # Sorted, since members of a Struct have no order, and a job is known again by its data.
    return Payload(
        json.dumps(value, separators=(",", ":"), ensure_ascii=False, sort_keys=True).encode(), _JSON
    )


def _plain(value: struct_pb2.Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return _fields(value.struct_value)
    if kind == "list_value":
        return _items(value.list_value)
    if kind == "number_value":
        return _number(value.number_value)
    return None if kind in (None, "null_value") else getattr(value, kind)


def _fields(struct: struct_pb2.Struct) -> dict[str, Any]:
    return {name: _plain(value) for name, value in struct.fields.items()}


def _items(values: struct_pb2.ListValue) -> list[Any]:
    return [_plain(value) for value in values.values]


def _number(number: float) -> float | int | None:
    if not math.isfinite(number):
        return None
    # Every number is a double here. Beyond 2**53 an integer would show digits that it doesn't have.
    return int(number) if number.is_integer() and abs(number) <= 2**53 else number


_READERS: Mapping[str, Callable[[bytes], Payload]] = {
    "": lambda data: Payload(data, OCTET_STREAM) if data else _NOTHING,
    "google.protobuf.Value": _value_payload,
    "google.protobuf.Struct": lambda data: _json_payload(_fields(struct_pb2.Struct.FromString(data))),
    "google.protobuf.ListValue": lambda data: _json_payload(_items(struct_pb2.ListValue.FromString(data))),
    "google.protobuf.StringValue": lambda data: _text_payload(
        wrappers_pb2.StringValue.FromString(data).value
    ),
    "google.protobuf.BytesValue": lambda data: Payload(
        wrappers_pb2.BytesValue.FromString(data).value, OCTET_STREAM
    ),
    "google.protobuf.Empty": lambda _: _NOTHING,
}
"""What reads each type of data, by the type's name."""
