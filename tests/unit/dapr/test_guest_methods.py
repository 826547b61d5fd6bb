"""Which requests to Dapr a function's grants allow."""

from __future__ import annotations

from typing import Any

import pytest
from dapr.proto.runtime.v1 import configuration_pb2, dapr_pb2, secret_pb2
from google.protobuf import json_format

from wasm_grpc.core.model import DaprGrants
from wasm_grpc.dapr.guest_methods import METHODS, InvalidRequestError

__all__ = []

GRANTS = DaprGrants(
    state=("store/orders-*", "store/one"),
    publish=("pubsub/grey",),
    invoke=("app/create", "app/orders/*"),
    secrets=("vault/DB_*",),
    bindings=("mail/create",),
    configuration=("config/flag-*",),
)
STATE = "expected a grant in capabilities.dapr.state"

ALLOWED: list[tuple[str, dict[str, Any]]] = [
    ("GetState", {"storeName": "store", "key": "one"}),
    ("GetState", {"storeName": "store", "key": "orders-/1"}),
    ("GetBulkState", {"storeName": "store", "keys": ["one", "orders-1"]}),
    ("SaveState", {"storeName": "store", "states": [{"key": "one"}, {"key": "orders-"}]}),
    ("DeleteState", {"storeName": "store", "key": "orders-%2F"}),
    (
        "ExecuteStateTransaction",
        {"storeName": "store", "operations": [{"operationType": "delete", "request": {"key": "one"}}]},
    ),
    ("PublishEvent", {"pubsubName": "pubsub", "topic": "grey"}),
    ("BulkPublishEvent", {"pubsubName": "pubsub", "topic": "grey"}),
    ("BulkPublishEventAlpha1", {"pubsubName": "pubsub", "topic": "grey"}),
    ("InvokeService", {"id": "app", "message": {"method": "create"}}),
    ("InvokeService", {"id": "app", "message": {"method": "/create"}}),
    ("InvokeService", {"id": "app", "message": {"method": "orders/1/items"}}),
    ("InvokeService", {"id": "app", "message": {"method": "orders/a%20b"}}),
    ("InvokeService", {"id": "app", "message": {"method": "orders//a;b=..;c/"}}),
    ("InvokeService", {"id": "app", "message": {"method": "orders/caf\u00e9%20...%C3%A9"}}),
    ("GetSecret", {"storeName": "vault", "key": "DB_/a..b"}),
    ("GetSecret", {"storeName": "vault", "key": "DB_URL"}),
    ("GetBulkSecret", {"storeName": "vault"}),
    ("InvokeBinding", {"name": "mail", "operation": "create"}),
    ("GetConfiguration", {"storeName": "config", "keys": ["flag-a", "flag-b"]}),
    ("GetConfiguration", {"storeName": "config"}),
]

DENIED: list[tuple[str, dict[str, Any], str]] = [
    ("GetState", {"storeName": "store", "key": "two"}, f"state 'store/two' is not granted; {STATE}"),
    ("GetState", {"storeName": "other", "key": "one"}, f"state 'other/one' is not granted; {STATE}"),
    ("GetState", {"storeName": "store/orders-", "key": "x"}, "state 'store/orders-/x' is not granted;"),
    ("GetState", {"key": "one"}, "state '/one' is not granted;"),
    ("GetBulkState", {"storeName": "store", "keys": ["one", "two"]}, "state 'store/two' is not granted;"),
    (
        "SaveState",
        {"storeName": "store", "states": [{"key": "one"}, {"key": "two"}]},
        "state 'store/two' is not granted;",
    ),
    ("DeleteState", {"storeName": "store", "key": "orders"}, "state 'store/orders' is not granted;"),
    (
        "ExecuteStateTransaction",
        {
            "storeName": "store",
            "operations": [
                {"operationType": "upsert", "request": {"key": "one"}},
                {"operationType": "upsert", "request": {"key": "\0"}},
            ],
        },
        r"state 'store/\x00' is not granted;",
    ),
    ("PublishEvent", {"pubsubName": "pubsub", "topic": "grey2"}, "publish 'pubsub/grey2' is not granted;"),
    ("BulkPublishEvent", {"pubsubName": "pubsub", "topic": "x"}, "publish 'pubsub/x' is not granted;"),
    ("InvokeService", {"id": "app", "message": {"method": "delete"}}, "invoke 'app/delete' is not granted;"),
    ("InvokeService", {"id": "app", "message": {"method": "orders"}}, "invoke 'app/orders' is not granted;"),
    # Dapr drops empty segments.
    ("InvokeService", {"id": "app", "message": {"method": "orders/"}}, "invoke 'app/orders' is not granted;"),
    ("InvokeService", {"id": "app.prod", "message": {"method": "create"}}, "invoke 'app.prod/create' is"),
    (
        "InvokeService",
        {"id": "https://example.com", "message": {"method": "create"}},
        "invoke 'https://example.com/create' is not granted;",
    ),
    ("GetSecret", {"storeName": "vault", "key": "API_KEY"}, "secrets 'vault/API_KEY' is not granted;"),
    ("GetBulkSecret", {"storeName": "other"}, "secrets 'other' is not granted;"),
    ("InvokeBinding", {"name": "mail", "operation": "delete"}, "bindings 'mail/delete' is not granted;"),
    (
        "GetConfiguration",
        {"storeName": "config", "keys": ["flag-a", "other"]},
        "configuration 'config/other' is not granted;",
    ),
    ("GetConfiguration", {"storeName": "other"}, "configuration 'other' is not granted;"),
]

INVALID: list[tuple[str, dict[str, Any], str]] = [
    ("GetState", {"storeName": "store"}, "key: is empty; expected a name"),
    ("GetBulkState", {"storeName": "store"}, "keys: is empty; expected at least one"),
    ("GetBulkState", {"storeName": "store", "keys": [""]}, "keys: is empty; expected a name"),
    ("SaveState", {"storeName": "store"}, "states: is empty; expected at least one"),
    ("ExecuteStateTransaction", {"storeName": "store"}, "operations: is empty; expected at least one"),
    ("GetSecret", {"storeName": "vault", "key": "DB_URL", "metadata": {"namespace": "x"}}, "metadata: name"),
    ("GetBulkSecret", {"storeName": "vault", "metadata": {"Namespace": "x"}}, "metadata: namespace: leads"),
    ("InvokeService", {"id": "app"}, "message: method: is empty; expected a name"),
    ("InvokeService", {"id": "app", "message": {"method": "orders/../delete"}}, "message: method: 'orders/"),
    ("InvokeService", {"id": "app", "message": {"method": "orders/%2e%2E/delete"}}, "message: method: "),
    ("InvokeService", {"id": "app", "message": {"method": "orders/%252e%252e/x"}}, "message: method: "),
    ("InvokeService", {"id": "app", "message": {"method": "orders/./x"}}, "message: method: "),
    ("InvokeService", {"id": "app", "message": {"method": "orders/?x=../../delete"}}, "message: method: "),
    ("InvokeService", {"id": "app", "message": {"method": "orders/%3Fx"}}, "message: method: "),
    ("InvokeService", {"id": "app", "message": {"method": "orders/#x"}}, "message: method: "),
    ("InvokeService", {"id": "app", "message": {"method": "orders/\\..\\x"}}, "message: method: "),
    ("InvokeService", {"id": "app", "message": {"method": "orders/\0"}}, "message: method: "),
    ("InvokeService", {"id": "app", "message": {"method": "orders/\r\nX: 1"}}, "message: method: "),
    ("InvokeService", {"id": "app", "message": {"method": "orders/..;/delete"}}, "message: method: "),
    ("InvokeService", {"id": "app", "message": {"method": "orders/%2e%2e%3Bx/delete"}}, "message: method: "),
    ("InvokeService", {"id": "app", "message": {"method": "orders/..%20/delete"}}, "message: method: "),
    (
        "InvokeService",
        {"id": "app", "message": {"method": "orders/\uff0e\uff0e/delete"}},
        "message: method: ",
    ),
    ("InvokeService", {"id": "app", "message": {"method": "orders/\u2025/delete"}}, "message: method: "),
    (
        "InvokeService",
        {"id": "app", "message": {"method": "orders/%C0%AE%C0%AE/delete"}},
        "message: method: does not decode to UTF-8; expected UTF-8",
    ),
    (
        "InvokeService",
        {"id": "app", "message": {"method": "orders/%" + "25" * 4000}},
        "message: method: is percent-encoded again and again; expected it once",
    ),
    (
        "InvokeService",
        {"id": "app", "message": {"method": "orders/" + "x" * 8192}},
        "message: method: has 8199 characters; expected at most 8192",
    ),
    ("GetSecret", {"storeName": "vault", "key": "DB_/../API_KEY"}, "key: 'DB_/../API_KEY' has a segment"),
    ("GetSecret", {"storeName": "vault", "key": "DB_/%2E%2E/API_KEY"}, "key: 'DB_/%2E%2E/API_KEY' has a s"),
]


def _request(name: str, members: dict[str, Any]) -> Any:
    return json_format.ParseDict(members, METHODS[name].request())


@pytest.mark.parametrize(("name", "members"), ALLOWED)
def test_a_granted_request(name: str, members: dict[str, Any]) -> None:
    """Every name in the request is granted."""
    assert METHODS[name].denial(_request(name, members), GRANTS) == ""


@pytest.mark.parametrize(("name", "members"), ALLOWED)
def test_nothing_is_granted_by_default(name: str, members: dict[str, Any]) -> None:
    """A function without grants may ask for nothing."""
    assert (
        METHODS[name]
        .denial(_request(name, members), DaprGrants())
        .endswith(("state", "publish", "invoke", "secrets", "bindings", "configuration"))
    )


@pytest.mark.parametrize(("name", "members", "reason"), DENIED)
def test_a_denied_request(name: str, members: dict[str, Any], reason: str) -> None:
    """The first name without a grant is told."""
    assert METHODS[name].denial(_request(name, members), GRANTS).startswith(reason)


@pytest.mark.parametrize(("name", "members", "reason"), INVALID)
def test_an_invalid_request(name: str, members: dict[str, Any], reason: str) -> None:
    """A request that names nothing, or could mean something else to the app, is not passed on."""
    with pytest.raises(InvalidRequestError) as caught:
        METHODS[name].denial(_request(name, members), GRANTS)

    assert str(caught.value).startswith(reason)


def test_only_granted_secrets_are_kept() -> None:
    """Dapr returns all secrets of a store."""
    request = secret_pb2.GetBulkSecretRequest(store_name="vault")
    response = secret_pb2.GetBulkSecretResponse()
    for key in ("DB_URL", "DB_", "API_KEY", "db_url"):
        response.data[key].secrets[key] = "secret"

    METHODS["GetBulkSecret"].keep_granted(request, response, GRANTS)

    assert sorted(response.data) == ["DB_", "DB_URL"]


def test_only_granted_configuration_is_kept() -> None:
    """Dapr returns all keys of a store if the request names none."""
    request = configuration_pb2.GetConfigurationRequest(store_name="config")
    response = configuration_pb2.GetConfigurationResponse()
    for key in ("flag-a", "password"):
        response.items[key].value = "1"

    METHODS["GetConfiguration"].keep_granted(request, response, GRANTS)

    assert list(response.items) == ["flag-a"]


def test_the_methods_are_those_of_daprs_api() -> None:
    """Each has the request and the response of the API's own description."""
    api = dapr_pb2.DESCRIPTOR.services_by_name["Dapr"].methods_by_name

    for name, method in METHODS.items():
        assert api[name].input_type.full_name == method.request.DESCRIPTOR.full_name
        assert api[name].output_type.full_name == method.response.DESCRIPTOR.full_name
