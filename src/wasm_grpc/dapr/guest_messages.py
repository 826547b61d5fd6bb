"""
Guests' requests to Dapr and Dapr's responses to them, in the form that the guest chose: protobuf or JSON.

JSON follows protobuf's JSON mapping, but for the body of a service invocation: the mapping can't write a
``google.protobuf.Any`` without a type, and Dapr's has none. Its member ``data`` is the body in base64.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from dapr.proto.common.v1 import common_pb2
from dapr.proto.runtime.v1 import invoke_pb2
from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message

from wasm_grpc.dapr.guest_methods import InvalidRequestError, Method
from wasm_grpc.dapr.wire_format import has_more_fields

__all__ = ["read_request", "write_response"]

_MEMBERS = 10_000
"""Limit on the fields or members and elements of a request, which cost far more than long strings."""


def read_request(method: Method, data: bytes, *, is_json: bool) -> Any:
    """
    Return a request, without what this version of Dapr's API doesn't know.

    Raises:
        InvalidRequestError: The data isn't a valid request of this method.
    """
    if is_json:
        return _read_json(method, data)
    if has_more_fields(data, method.request, _MEMBERS):
        raise InvalidRequestError(f"has more than {_MEMBERS} fields; expected fewer")
    try:
        request = method.request.FromString(data)
    except DecodeError:
        raise InvalidRequestError(f"expected protobuf of {method.request.DESCRIPTOR.full_name}") from None
    # The sidecar gets only what was checked.
    request.DiscardUnknownFields()
    return request


def write_response(response: Message, *, is_json: bool) -> bytes:
    """
    Return a response in the form of its request.
    """
    if not is_json:
        return response.SerializeToString()
    if isinstance(response, common_pb2.InvokeResponse):
        members = {"data": _base64(response.data.value), "contentType": response.content_type}
        return json.dumps({name: value for name, value in members.items() if value}).encode()
    return json_format.MessageToJson(response, indent=None).encode()


def _read_json(method: Method, data: bytes) -> Any:
    if sum(map(data.count, (b",", b"[", b"{"))) > _MEMBERS:
        raise InvalidRequestError(f"has more than {_MEMBERS} members; expected fewer")
    try:
        members = json.loads(data or b"{}")
    except (ValueError, RecursionError):
        members = None
    if not isinstance(members, dict):
        raise InvalidRequestError(f"expected a JSON object for {method.request.DESCRIPTOR.full_name}")
    body = _take_body(members) if method.request is invoke_pb2.InvokeServiceRequest else None
    try:
        request: Any = json_format.ParseDict(members, method.request())
    except json_format.ParseError as exc:
        # Its first line says which field, and what was expected.
        raise InvalidRequestError(str(exc).partition("\n")[0]) from None
    except (OverflowError, SystemError):
        # An infinite number for an enum, or half a surrogate pair in a name: the library takes neither.
        raise InvalidRequestError(f"expected JSON of {method.request.DESCRIPTOR.full_name}") from None
    if body is not None:
        request.message.data.value = body
    return request


def _take_body(members: dict[str, Any]) -> bytes | None:
    """
    Remove the body of a service invocation from its members, and return it; ``None`` if it has none.
    """
    message = members.get("message")
    if not isinstance(message, dict) or "data" not in message:
        return None
    text = message.pop("data")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise InvalidRequestError("message: data: expected the body in base64") from None


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
