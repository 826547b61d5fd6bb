"""Guests' requests and Dapr's responses, as protobuf and as JSON."""

from __future__ import annotations

import base64
import json

import pytest
from dapr.proto.common.v1 import common_pb2
from dapr.proto.runtime.v1 import invoke_pb2, state_pb2
from google.protobuf import empty_pb2

from wasm_grpc.dapr.guest_messages import read_request, write_response
from wasm_grpc.dapr.guest_methods import METHODS, InvalidRequestError

__all__ = []

SAVE = state_pb2.SaveStateRequest(
    store_name="s", states=[common_pb2.StateItem(key="k", value=b"\xff\0", etag=common_pb2.Etag(value="1"))]
)
INVOKE = invoke_pb2.InvokeServiceRequest(
    id="app",
    message=common_pb2.InvokeRequest(
        method="m",
        content_type="text/plain",
        http_extension=common_pb2.HTTPExtension(verb=common_pb2.HTTPExtension.POST, querystring="a=1"),
    ),
)
INVOKE.message.data.value = b"body"


def test_a_request_in_protobuf() -> None:
    """It is what the guest sent, but for fields that Dapr's API doesn't have."""
    unknown = b"\xfa\x7f\x01x"

    assert read_request(METHODS["SaveState"], SAVE.SerializeToString() + unknown, is_json=False) == SAVE


def test_a_request_in_json() -> None:
    """It follows protobuf's JSON mapping."""
    text = b'{"storeName": "s", "states": [{"key": "k", "value": "/wA=", "etag": {"value": "1"}}]}'

    assert read_request(METHODS["SaveState"], text, is_json=True) == SAVE


def test_a_service_invocation_in_json() -> None:
    """Its body is in base64: the mapping can't write an Any without a type."""
    message = {
        "method": "m",
        "data": base64.b64encode(b"body").decode(),
        "contentType": "text/plain",
        "httpExtension": {"verb": "POST", "querystring": "a=1"},
    }
    text = json.dumps({"id": "app", "message": message}).encode()

    assert read_request(METHODS["InvokeService"], text, is_json=True) == INVOKE


BAD_JSON = {
    "not JSON": (b"{", "expected a JSON object for dapr.proto.runtime.v1.SaveStateRequest"),
    "not UTF-8": (b'{"storeName": "\xff"}', "expected a JSON object for "),
    "an array": (b"[]", "expected a JSON object for "),
    "too deep": (b'{"a":' * 9_000, "expected a JSON object for "),
    "too many": (b'{"states":[' + b"{}," * 10_000 + b"{}]}", "has more than 10000 members; expected fewer"),
    "a wrong type": (b'{"storeName": 1}', "Failed to parse storeName field: expected string or bytes-like"),
    "half a surrogate pair": (b'{"\\ud800": 1}', "expected JSON of dapr.proto.runtime.v1.SaveStateRequest"),
    "an infinite number": (
        b'{"states": [{"options": {"concurrency": 1e999}}]}',
        "expected JSON of dapr.proto.runtime.v1.SaveStateRequest",
    ),
    "an unknown field": (b'{"nope": 1}', 'Message type "dapr.proto.runtime.v1.SaveStateRequest" has no fi'),
}


@pytest.mark.parametrize(("text", "reason"), BAD_JSON.values(), ids=BAD_JSON)
def test_bad_json(text: bytes, reason: str) -> None:
    """The guest is told what was expected, in one line."""
    with pytest.raises(InvalidRequestError) as caught:
        read_request(METHODS["SaveState"], text, is_json=True)

    assert str(caught.value).startswith(reason)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("data", ["1", '"*"', '"a"', "null", "{}"])
def test_a_bad_body_in_json(data: str) -> None:
    """It is not base64."""
    text = f'{{"id": "app", "message": {{"method": "m", "data": {data}}}}}'.encode()

    with pytest.raises(InvalidRequestError, match=r"^message: data: expected the body in base64$"):
        read_request(METHODS["InvokeService"], text, is_json=True)


def test_bad_protobuf() -> None:
    """The guest is told what was expected."""
    with pytest.raises(InvalidRequestError) as caught:
        read_request(METHODS["SaveState"], b"{}", is_json=False)

    assert str(caught.value) == "expected protobuf of dapr.proto.runtime.v1.SaveStateRequest"


MANY: dict[str, bytes] = {
    "items": b"\x12\x00" * 10_001,
    "fields of one item": b"\x12\xa2\x9c\x01" + b"\x0a\x00" * 10_001,
    "before a fault": b"\x12\xa2\x9c\x01" + b"\x0a\x00" * 10_001 + b"\x12\x01\x0a",
    "unknown numbers": b"\xf8\x7f\x01" * 10_001,
    "unknown groups": b"\x7b\x7c" * 5001,
    "unknown numbers of a fixed length": b"\xf9\x7f12345678\xfd\x7f1234" * 5001,
}


@pytest.mark.parametrize("data", MANY.values(), ids=MANY)
def test_many_fields_in_protobuf(data: bytes) -> None:
    """Each of them, empty as it is, would take memory and time."""
    with pytest.raises(InvalidRequestError) as caught:
        read_request(METHODS["SaveState"], data, is_json=False)

    assert str(caught.value) == "has more than 10000 fields; expected fewer"


def test_a_long_field_in_protobuf() -> None:
    """What looks like fields in the bytes of one is none."""
    request = state_pb2.SaveStateRequest(states=[common_pb2.StateItem(value=b"\x12\x00" * 100_000)])

    assert read_request(METHODS["SaveState"], request.SerializeToString(), is_json=False) == request


@pytest.mark.parametrize("data", [b"\x80" * 100_000, b"\x12" + b"\xff" * 100_000, b"\x12\x05", b"\x19\x00"])
def test_malformed_protobuf(data: bytes) -> None:
    """Numbers without an end and lengths beyond the message's are refused."""
    with pytest.raises(InvalidRequestError, match=r"^expected protobuf of "):
        read_request(METHODS["SaveState"], data, is_json=False)


def test_a_response_in_protobuf() -> None:
    """It is Dapr's."""
    response = state_pb2.GetStateResponse(data=b"\xff", etag="1")

    assert write_response(response, is_json=False) == response.SerializeToString()


def test_a_response_in_json() -> None:
    """It follows protobuf's JSON mapping, in one line."""
    response = state_pb2.GetStateResponse(data=b"\xff\0", etag="1", metadata={"a": "b"})

    text = write_response(response, is_json=True)

    assert text == b'{"data": "/wA=", "etag": "1", "metadata": {"a": "b"}}'
    assert write_response(empty_pb2.Empty(), is_json=True) == b"{}"


def test_the_response_of_a_service_in_json() -> None:
    """Its body is in base64."""
    response = common_pb2.InvokeResponse(content_type="text/plain")
    response.data.value = b"body"

    text = write_response(response, is_json=True)

    assert text == b'{"data": "Ym9keQ==", "contentType": "text/plain"}'
    assert write_response(common_pb2.InvokeResponse(), is_json=True) == b"{}"
