"""Requests to Dapr are what its protobuf definitions take."""

from __future__ import annotations

import dapr.proto.runtime.v1.dapr_pb2  # noqa: F401 - registers the service
import pytest
from dapr.proto.common.v1 import common_pb2 as common
from google.protobuf import descriptor_pool, json_format, message_factory
from google.protobuf.message import Message

from wasm_grpc.hosts.dapr import requests
from wasm_grpc.hosts.dapr.requests import Request, configuration_in, secret_in, state_in
from wasm_grpc.hosts.dapr.target import Kind, Target

__all__ = []

SERVICE = descriptor_pool.Default().FindServiceByName("dapr.proto.runtime.v1.Dapr")
PARAMETERS = (("ttlInSeconds", "60"),)
DATA = bytes(range(256))
STATE = Target(Kind.STATE, "store", "orders/1", PARAMETERS)


def _parsed(request: Request) -> Message:
    message = message_factory.GetMessageClass(SERVICE.methods_by_name[request.method].input_type)()
    return json_format.Parse(request.encoded(), message)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (
            requests.get_state(STATE),
            {"store_name": "store", "key": "orders/1", "metadata": dict(PARAMETERS)},
        ),
        (
            requests.save_state(STATE, DATA),
            {
                "store_name": "store",
                "states": [common.StateItem(key="orders/1", value=DATA, metadata=dict(PARAMETERS))],
            },
        ),
        (
            requests.save_state(Target(Kind.STATE, "s", "k", (("content-type", "text/plain"),)), b""),
            {
                "store_name": "s",
                "states": [common.StateItem(key="k", metadata={"contentType": "text/plain"})],
            },
        ),
        (
            requests.delete_state(STATE),
            {"store_name": "store", "key": "orders/1", "metadata": dict(PARAMETERS)},
        ),
        (
            requests.get_secret(Target(Kind.SECRETS, "vault", "DB", PARAMETERS)),
            {"store_name": "vault", "key": "DB", "metadata": dict(PARAMETERS)},
        ),
        (
            requests.get_configuration(Target(Kind.CONFIGURATION, "config", "k")),
            {"store_name": "config", "keys": ["k"]},
        ),
        (
            requests.publish_event(
                Target(Kind.PUBLISH, "p", "t", (("content-type", "a/b"), ("rawPayload", "true"))), DATA
            ),
            {
                "pubsub_name": "p",
                "topic": "t",
                "data": DATA,
                "data_content_type": "a/b",
                "metadata": {"rawPayload": "true"},
            },
        ),
        (
            requests.publish_event(Target(Kind.PUBLISH, "p", "t"), b"x"),
            {
                "pubsub_name": "p",
                "topic": "t",
                "data": b"x",
                "data_content_type": "application/octet-stream",
            },
        ),
        (
            requests.invoke_binding(Target(Kind.BINDINGS, "mail", "create", (("to", "a@b"),)), DATA),
            {"name": "mail", "operation": "create", "data": DATA, "metadata": {"to": "a@b"}},
        ),
        (
            requests.invoke_binding(Target(Kind.BINDINGS, "mail", "get"), None),
            {"name": "mail", "operation": "get"},
        ),
    ],
)
def test_a_request_is_what_dapr_defines(request_: Request, expected: dict[str, object]) -> None:
    """Protobuf's own JSON reader finds every field."""
    message = _parsed(request_)

    assert message == type(message)(**expected)


def test_a_key_in_any_alphabet() -> None:
    """Names are text, with whatever characters."""
    name = 'é\0"\\\u2028😀'

    assert _parsed(requests.get_state(Target(Kind.STATE, "s", name))).key == name  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("data", "parameters", "expected"),
    [
        (
            b"body",
            (("a", "1"), ("a", "ü"), ("content-type", "text/plain")),
            {
                "method": "m",
                "data": "Ym9keQ==",
                "contentType": "text/plain",
                "httpExtension": {"verb": "POST", "querystring": "a=1&a=%C3%BC"},
            },
        ),
        (
            b"x",
            (),
            {
                "method": "m",
                "data": "eA==",
                "contentType": "application/octet-stream",
                "httpExtension": {"verb": "POST"},
            },
        ),
        (None, (), {"method": "m", "httpExtension": {"verb": "GET"}}),
    ],
)
def test_a_method_of_an_app(
    data: bytes | None, parameters: tuple[tuple[str, str], ...], expected: dict[str, object]
) -> None:
    """What was written is posted; if nothing was, the method is got. Only the data deviates from protobuf."""
    request = requests.invoke_service(Target(Kind.INVOKE, "app", "m", parameters), data)

    assert request == Request("InvokeService", {"id": "app", "message": expected})
    json_format.ParseDict(
        {name: value for name, value in expected.items() if name != "data"}, common.InvokeRequest()
    )


@pytest.mark.parametrize(
    ("response", "value"),
    [({}, None), ({"etag": "1"}, b""), ({"data": "aGk="}, b"hi"), ({"data": "", "etag": ""}, None)],
)
def test_a_value(response: dict[str, str], value: bytes | None) -> None:
    """A missing key has neither data nor etag."""
    assert state_in(response) == value


@pytest.mark.parametrize(
    ("response", "value"),
    [
        ({}, None),
        ({"data": {}}, None),
        ({"data": {"DB": "päss"}}, "päss".encode()),
        ({"data": {"any": ""}}, b""),
        ({"data": {"user": "u", "password": "p"}}, b'{"user": "u", "password": "p"}'),
    ],
)
def test_a_secret(response: dict[str, dict[str, str]], value: bytes | None) -> None:
    """One entry is the secret, whatever its name; several are a JSON object."""
    assert secret_in(response) == value


@pytest.mark.parametrize(
    ("response", "value"),
    [
        ({}, None),
        ({"items": {"other": {"value": "x"}}}, None),
        ({"items": {"k": {"value": "blue", "version": "1"}}}, b"blue"),
        ({"items": {"k": {}}}, b""),
    ],
)
def test_a_configuration_item(response: dict[str, dict[str, dict[str, str]]], value: bytes | None) -> None:
    """Only the item of the key counts, and an empty value is left out of JSON."""
    assert configuration_in(response, "k") == value
