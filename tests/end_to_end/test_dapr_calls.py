"""Functions that call Dapr: each building block through its API, behind a real sidecar with Redis."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest

from end_to_end.dapr_app import (
    APP_ID,
    BINDING,
    CONFIGURATION,
    PUBSUB,
    SECRETS,
    STATE,
    DaprApp,
    write_caller,
)
from integration.guests import write_function

pytestmark = pytest.mark.asyncio(loop_scope="module")

GRANTS = f"""
state = ["{STATE}/orders-*", "{STATE}/a/b", "{STATE}/big"]
publish = ["{PUBSUB}/grey"]
invoke = ["{APP_ID}/echo", "{APP_ID}/caller", "nobody/echo"]
secrets = ["{SECRETS}/DB_*"]
bindings = ["{BINDING}/create", "{BINDING}/get"]
configuration = ["{CONFIGURATION}/flag-*"]
"""


def b64(data: bytes) -> str:
    """Return bytes as protobuf's JSON mapping has them."""
    return base64.b64encode(data).decode()


@pytest.fixture(scope="module")
def functions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A function with grants, one without, and one that echoes."""
    folder = tmp_path_factory.mktemp("dapr") / "functions"
    write_caller(folder, "caller", GRANTS)
    write_caller(folder, "plain", "")
    write_function(folder, "echo")
    return folder


@pytest.mark.parametrize(
    ("key", "value"),
    [("orders-1", b"hi"), ("a/b", bytes(range(256))), ("orders-empty", b""), ("big", b"x" * (1 << 20))],
    ids=["text", "binary below a slash", "empty", "1 MiB"],
)
async def test_state(dapr_app: DaprApp, key: str, value: bytes) -> None:
    """What a function saves is what it gets, and nothing is left of what it deletes."""
    assert await dapr_app.value("caller", key) is None

    await dapr_app.response(
        "caller", "SaveState", {"storeName": STATE, "states": [{"key": key, "value": b64(value)}]}
    )
    assert await dapr_app.value("caller", key) == value

    await dapr_app.response("caller", "DeleteState", {"storeName": STATE, "key": key})
    assert await dapr_app.value("caller", key) is None


async def test_state_in_bulk(dapr_app: DaprApp) -> None:
    """Several keys at once; a missing one has no data."""
    await dapr_app.response(
        "caller",
        "SaveState",
        {"storeName": STATE, "states": [{"key": f"orders-b{n}", "value": b64(b"%d" % n)} for n in range(2)]},
    )

    found = await dapr_app.response(
        "caller", "GetBulkState", {"storeName": STATE, "keys": ["orders-b0", "orders-b1", "orders-no"]}
    )

    data = {item["key"]: base64.b64decode(item.get("data", "")) for item in found["items"]}
    assert data == {"orders-b0": b"0", "orders-b1": b"1", "orders-no": b""}


async def test_an_etag_that_is_stale(dapr_app: DaprApp) -> None:
    """A save with another's etag fails, with the code that Dapr gives for it."""
    state: dict[str, Any] = {"key": "orders-etag", "value": b64(b"1")}
    save = {"storeName": STATE, "states": [state]}
    await dapr_app.response("caller", "SaveState", save)
    found = await dapr_app.response("caller", "GetState", {"storeName": STATE, "key": "orders-etag"})
    state |= {"etag": {"value": found["etag"]}, "options": {"concurrency": "CONCURRENCY_FIRST_WRITE"}}
    await dapr_app.response("caller", "SaveState", save)

    error = await dapr_app.error("caller", "SaveState", save)

    assert "ABORTED: SaveState: Dapr answered with this error" in error


async def test_a_transaction(dapr_app: DaprApp) -> None:
    """All of it happens, or nothing: one key without a grant denies it."""

    def transaction(*operations: tuple[str, str]) -> dict[str, Any]:
        return {
            "storeName": STATE,
            "operations": [
                {"operationType": kind, "request": {"key": key, "value": b64(b"t")}}
                for kind, key in operations
            ],
        }

    await dapr_app.response(
        "caller", "ExecuteStateTransaction", transaction(("upsert", "orders-t1"), ("delete", "orders-t2"))
    )
    assert await dapr_app.value("caller", "orders-t1") == b"t"

    error = await dapr_app.error(
        "caller", "ExecuteStateTransaction", transaction(("delete", "orders-t1"), ("upsert", "others"))
    )
    assert f"state '{STATE}/others' is not granted" in error
    assert await dapr_app.value("caller", "orders-t1") == b"t"


async def test_publish(dapr_app: DaprApp) -> None:
    """A message of a function reaches the broker as an event, on the trace of its invocation."""
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    body = (
        b"json PublishEvent\n"
        + json.dumps(
            {"pubsubName": PUBSUB, "topic": "grey", "data": b64(b"{}"), "dataContentType": "application/json"}
        ).encode()
    )

    reply = await dapr_app.sidecar.invoke(APP_ID, "caller", body, headers={"traceparent": trace})

    assert reply.status == 200, reply
    (event,) = await dapr_app.broker.events("grey", 1)
    assert event["data"] == {}
    assert event["source"] == APP_ID
    assert event["traceparent"].split("-")[1] == trace.split("-")[1]


async def test_publish_in_bulk(dapr_app: DaprApp) -> None:
    """All messages of a bulk reach the broker, on the trace of their invocation."""
    before = await dapr_app.broker.length("grey")
    entries = [{"entryId": str(n), "event": b64(b"%d" % n), "contentType": "text/plain"} for n in range(3)]
    await dapr_app.response(
        "caller", "BulkPublishEvent", {"pubsubName": PUBSUB, "topic": "grey", "entries": entries}
    )

    assert await dapr_app.broker.length("grey") == before + 3


async def test_invoke(dapr_app: DaprApp) -> None:
    """A function calls another one by Dapr, with body, content type, verb and query."""
    message = {
        "method": "echo",
        "data": b64(b"\xffbody"),
        "contentType": "text/plain",
        "httpExtension": {"verb": "POST", "querystring": "a=1"},
    }

    found = await dapr_app.response("caller", "InvokeService", {"id": APP_ID, "message": message})

    assert base64.b64decode(found["data"]) == b"\xffbody"


async def test_functions_that_call_themselves(dapr_app: DaprApp) -> None:
    """Eight deep they go, and no deeper."""

    def nested(depth: int) -> bytes:
        if not depth:
            return b"json GetState\n" + json.dumps({"storeName": STATE, "key": "orders-deep"}).encode()
        message = {"method": "caller", "data": b64(nested(depth - 1)), "httpExtension": {"verb": "POST"}}
        return b"json InvokeService\n" + json.dumps({"id": APP_ID, "message": message}).encode()

    fits = await dapr_app.sidecar.invoke(APP_ID, "caller", nested(8))
    too_deep = await dapr_app.sidecar.invoke(APP_ID, "caller", nested(9))

    assert fits.status == 200, fits
    assert too_deep.status == 500
    await asyncio.wait_for(
        dapr_app.server.process.stderr.match(r"RESOURCE_EXHAUSTED: InvokeService: 8 invocations led here"), 5
    )


async def test_an_app_that_is_not_there(dapr_app: DaprApp) -> None:
    """The call fails with a code, and without the sidecar's own words."""
    error = await dapr_app.error("caller", "InvokeService", {"id": "nobody", "message": {"method": "echo"}})

    assert "Dapr answered with this error" in error
    assert "resolve" not in error


async def test_secrets(dapr_app: DaprApp) -> None:
    """Those that are granted, also where Dapr would give all."""
    found = await dapr_app.response("caller", "GetSecret", {"storeName": SECRETS, "key": "DB_URL"})
    assert found["data"] == {"DB_URL": "postgres://user:pass@db"}

    found = await dapr_app.response("caller", "GetBulkSecret", {"storeName": SECRETS})
    assert sorted(found["data"]) == ["DB_URL", "DB_USER"]

    error = await dapr_app.error("caller", "GetSecret", {"storeName": SECRETS, "key": "API_KEY"})
    assert f"secrets '{SECRETS}/API_KEY' is not granted" in error


async def test_a_binding(dapr_app: DaprApp) -> None:
    """An operation with its metadata and data, which this component would decode if it were base64."""
    await dapr_app.response(
        "caller",
        "InvokeBinding",
        {"name": BINDING, "operation": "create", "data": b64(b"kept!"), "metadata": {"fileName": "a.txt"}},
    )
    assert (dapr_app.files / "a.txt").read_bytes() == b"kept!"

    found = await dapr_app.response(
        "caller", "InvokeBinding", {"name": BINDING, "operation": "get", "metadata": {"fileName": "a.txt"}}
    )
    assert base64.b64decode(found["data"]) == b"kept!"

    error = await dapr_app.error(
        "caller", "InvokeBinding", {"name": BINDING, "operation": "delete", "metadata": {"fileName": "a.txt"}}
    )
    assert f"bindings '{BINDING}/delete' is not granted" in error


async def test_configuration(dapr_app: DaprApp) -> None:
    """Those keys that are granted, also where Dapr would give all."""
    await dapr_app.redis.mset({"flag-a": "1||v1", "password": "hidden"})

    for keys in (["flag-a"], []):
        found = await dapr_app.response(
            "caller", "GetConfiguration", {"storeName": CONFIGURATION, "keys": keys}
        )
        assert {key: item["value"] for key, item in found["items"].items()} == {"flag-a": "1"}

    error = await dapr_app.error(
        "caller", "GetConfiguration", {"storeName": CONFIGURATION, "keys": ["password"]}
    )
    assert f"configuration '{CONFIGURATION}/password' is not granted" in error


async def test_a_denied_call(dapr_app: DaprApp) -> None:
    """The guest gets an error; the caller a 403 with the reason; the log one line."""
    reply = await dapr_app.call("caller", "GetState", {"storeName": STATE, "key": "others"})

    assert reply.status == 403, reply
    message = json.loads(reply.body)["message"]
    assert f"function 'caller': GetState: state '{STATE}/others' is not granted" in message
    assert "expected a grant in capabilities.dapr.state" in message
    pattern = rf"call to Dapr: DENIED: GetState: state '{re.escape(STATE)}/others' is not granted"
    await asyncio.wait_for(dapr_app.server.process.stderr.match(pattern), 5)


@pytest.mark.parametrize("method", ["Shutdown", "GetMetadata", "SetMetadata", "LockAlpha1", "Nonsense", ""])
async def test_another_method_of_the_api(dapr_app: DaprApp, method: str) -> None:
    """It is refused by its name."""
    error = await dapr_app.error("caller", method, {})

    assert f"'{method}' may not be called; expected one of GetState, GetBulkState" in error


async def test_a_function_without_grants(dapr_app: DaprApp) -> None:
    """It can't tell that there is Dapr: the binding is as unknown as any other."""
    error = await dapr_app.error("plain", "GetState", {"storeName": STATE, "key": "orders-1"})

    assert "binding 'dapr' is unknown; expected one that the function was granted" in error
