"""
Requests to Dapr and its responses, in protobuf's JSON mapping of ``dapr.proto.runtime.v1``.

The worker has no protobuf. ``InvokeService`` deviates from the mapping: its data would be a
``google.protobuf.Any``, which has no JSON form for plain bytes, so the server takes and returns base64 there.
"""

from __future__ import annotations

import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wasm_grpc.hosts.dapr.names import encode_parameters
from wasm_grpc.hosts.dapr.target import DEFAULT_CONTENT_TYPE, Target

__all__ = [
    "Buffer",
    "Request",
    "configuration_in",
    "data_in",
    "delete_state",
    "get_configuration",
    "get_secret",
    "get_state",
    "invoke_binding",
    "invoke_service",
    "publish_event",
    "save_state",
    "secret_in",
    "state_in",
]

Buffer = bytes | bytearray


@dataclass(frozen=True, slots=True)
class Request:
    """
    A call to Dapr.

    Attributes:
        method: Name of a method of the service ``dapr.proto.runtime.v1.Dapr``.
        fields: Its request as a JSON object.
    """

    method: str
    fields: Mapping[str, object]

    def encoded(self) -> bytes:
        """
        Return the request as it is sent.
        """
        return json.dumps(self.fields, ensure_ascii=False, separators=(",", ":")).encode()


def get_state(target: Target) -> Request:
    """
    Return the request for the value of a key.
    """
    return Request("GetState", {"storeName": target.component, "key": target.name, **_metadata(target)})


def state_in(response: Mapping[str, Any]) -> bytes | None:
    """
    Return the value in a response to `get_state`; ``None`` if the key is missing.
    """
    # A key that is missing has neither, and an empty value has an etag.
    if not response.get("data") and not response.get("etag"):
        return None
    return data_in(response)


def save_state(target: Target, value: Buffer) -> Request:
    """
    Return the request that saves a value.

    Dapr has no field for its content type, but components that need it read it from the metadata.
    """
    metadata = target.metadata()
    if target.content_type is not None:
        metadata["contentType"] = target.content_type
    item = {"key": target.name, "value": _base64(value)}
    states = [{**item, "metadata": metadata} if metadata else item]
    return Request("SaveState", {"storeName": target.component, "states": states})


def delete_state(target: Target) -> Request:
    """
    Return the request that removes a key.
    """
    return Request("DeleteState", {"storeName": target.component, "key": target.name, **_metadata(target)})


def get_secret(target: Target) -> Request:
    """
    Return the request for a secret.
    """
    return Request("GetSecret", {"storeName": target.component, "key": target.name, **_metadata(target)})


def secret_in(response: Mapping[str, Any]) -> bytes | None:
    """
    Return the secret in a response to `get_secret`: the value of its one entry, or its entries as JSON.
    """
    entries = response.get("data")
    if not entries:
        return None
    if len(entries) == 1:
        (value,) = entries.values()
        return _utf8(value)
    return _utf8(json.dumps(entries, ensure_ascii=False))


def get_configuration(target: Target) -> Request:
    """
    Return the request for a configuration item.
    """
    return Request(
        "GetConfiguration", {"storeName": target.component, "keys": [target.name], **_metadata(target)}
    )


def configuration_in(response: Mapping[str, Any], key: str) -> bytes | None:
    """
    Return the value of a key in a response to `get_configuration`; ``None`` if it is missing.
    """
    item = response.get("items", {}).get(key)
    return None if item is None else _utf8(item.get("value", ""))


def publish_event(target: Target, data: Buffer) -> Request:
    """
    Return the request that publishes one message.
    """
    return Request(
        "PublishEvent",
        {
            "pubsubName": target.component,
            "topic": target.name,
            "data": _base64(data),
            "dataContentType": target.content_type or DEFAULT_CONTENT_TYPE,
            **_metadata(target),
        },
    )


def invoke_binding(target: Target, data: Buffer | None) -> Request:
    """
    Return the request that invokes an output binding.

    Args:
        target: The binding and its operation.
        data: What the guest wrote; ``None`` if it wrote nothing.
    """
    return Request(
        "InvokeBinding",
        {
            "name": target.component,
            "operation": target.name,
            "data": _base64(data or b""),
            **_metadata(target),
        },
    )


def invoke_service(target: Target, data: Buffer | None) -> Request:
    """
    Return the request that invokes a method of an app, as POST if the guest wrote something, else as GET.

    Args:
        target: The app and its method.
        data: What the guest wrote; ``None`` if it wrote nothing.
    """
    extension = {"verb": "GET" if data is None else "POST"}
    if target.others:
        extension["querystring"] = encode_parameters(target.others)
    message: dict[str, object] = {"method": target.name, "httpExtension": extension}
    if data is not None:
        message |= {"data": _base64(data), "contentType": target.content_type or DEFAULT_CONTENT_TYPE}
    elif target.content_type is not None:
        message["contentType"] = target.content_type
    return Request("InvokeService", {"id": target.component, "message": message})


def data_in(response: Mapping[str, Any]) -> bytes:
    """
    Return the data of a response.
    """
    return binascii.a2b_base64(response.get("data", ""))


def _metadata(target: Target) -> dict[str, object]:
    metadata = target.metadata()
    return {"metadata": metadata} if metadata else {}


def _base64(data: Buffer) -> str:
    return binascii.b2a_base64(data, newline=False).decode("ascii")


def _utf8(text: str) -> bytes:
    # JSON can escape half a surrogate pair, which UTF-8 has not.
    return text.encode("utf-8", "replace")
