"""Dapr as files, behind a real sidecar with Redis: by the standard libraries of four languages alone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from end_to_end.dapr_app import (
    APP_ID,
    BINDING,
    CONFIGURATION,
    PUBSUB,
    SECRETS,
    STATE,
    DaprApp,
)
from end_to_end.failures import failure_of
from integration.guests import write_function
from rig import Reply

# The first test waits until the modules are compiled, that of Go for many seconds.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(60)]

GUESTS = Path(__file__).parents[1] / "conformance" / "guests"
LANGUAGES = ("assemblyscript", "c", "go", "rust")
MANIFEST = """
name = "{name}"
module = "guest.wasm"
args = "query"
[limits]
memory = "64MiB"
[[trigger.invoke]]
method = "{name}"
[capabilities.dapr]
"""
GRANTS = f"""
state = ["{STATE}/orders-*", "{STATE}/a/b", "missing/k"]
publish = ["{PUBSUB}/news"]
invoke = ["{APP_ID}/echo"]
secrets = ["{SECRETS}/DB_URL"]
bindings = ["{BINDING}/create", "{BINDING}/get"]
configuration = ["{CONFIGURATION}/flag-*"]
"""
BODY = bytes(range(256)) * 40


@pytest.fixture(scope="module")
def functions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Programs that do with files what their arguments say, and a function that echoes."""
    folder = tmp_path_factory.mktemp("dapr-files") / "functions"
    for language in LANGUAGES:
        place = folder / language
        place.mkdir(parents=True)
        shutil.copy(GUESTS / language / "guest.wasm", place)
        (place / "function.toml").write_text(MANIFEST.format(name=language) + GRANTS)
    plain = folder / "plain"
    shutil.copytree(folder / "c", plain)
    (plain / "function.toml").write_text(MANIFEST.format(name="plain"))
    write_function(folder, "echo")
    return folder


async def use(dapr_app: DaprApp, language: str, command: str, path: str, body: bytes = b"") -> Reply:
    """Let a program do something with a file below ``/dapr``."""
    return await dapr_app.sidecar.invoke(APP_ID, f"{language}?{command}&/dapr/{path}", body)


async def used(dapr_app: DaprApp, language: str, command: str, path: str, body: bytes = b"") -> bytes:
    """Let a program do something with a file, which must succeed; return what it wrote to standard output."""
    reply = await use(dapr_app, language, command, path, body)
    assert reply.status == 200, reply
    return reply.body


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("key", ["orders-1", "a%2Fb"])
async def test_state(dapr_app: DaprApp, language: str, key: str) -> None:
    """A value is created, read and removed as a file is; a missing one is not there."""
    path = f"state/{STATE}/{key}"

    assert await used(dapr_app, language, "exists", path) == b"no\n"
    await used(dapr_app, language, "write", path, BODY)
    assert await used(dapr_app, language, "exists", path) == b"yes\n"
    assert await used(dapr_app, language, "read", path) == BODY
    await used(dapr_app, language, "write", path, b"")
    assert await used(dapr_app, language, "read", path) == b""
    await used(dapr_app, language, "remove", path)
    assert await used(dapr_app, language, "exists", path) == b"no\n"


@pytest.mark.parametrize("language", LANGUAGES)
async def test_state_that_expires(dapr_app: DaprApp, language: str) -> None:
    """The store gets a path's parameters as metadata."""
    await used(dapr_app, language, "write", f"state/{STATE}/orders-{language}?ttlInSeconds=1000", b"x")

    assert 0 < await dapr_app.redis.ttl(f"{STATE}||orders-{language}") <= 1000


@pytest.mark.parametrize("language", LANGUAGES)
async def test_values(dapr_app: DaprApp, language: str) -> None:
    """Secrets and configuration are files that can only be read."""
    await dapr_app.redis.set("flag-a", "on||v1")

    assert await used(dapr_app, language, "read", f"secrets/{SECRETS}/DB_URL") == b"postgres://user:pass@db"
    assert await used(dapr_app, language, "read", f"configuration/{CONFIGURATION}/flag-a") == b"on"
    assert await used(dapr_app, language, "exists", f"configuration/{CONFIGURATION}/flag-b") == b"no\n"
    assert (await use(dapr_app, language, "write", f"secrets/{SECRETS}/DB_URL", b"x")).status == 500


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("command", ["write", "leave"])
async def test_a_topic(dapr_app: DaprApp, language: str, command: str) -> None:
    """What is written to a topic is one message, whether the program closes the file or not."""
    before = await dapr_app.broker.length("news")

    await used(
        dapr_app, language, command, f"publish/{PUBSUB}/news?content-type=application/json", b'{"a": 1}'
    )

    assert await dapr_app.broker.length("news") == before + 1
    event = (await dapr_app.broker.events("news", before + 1))[-1]
    assert (event["data"], event["datacontenttype"]) == ({"a": 1}, "application/json")


@pytest.mark.parametrize("language", LANGUAGES)
async def test_exchanges(dapr_app: DaprApp, language: str) -> None:
    """A request is written, and its answer read from the same file: of another function, and of a binding."""
    assert await used(dapr_app, language, "exchange", f"invoke/{APP_ID}/echo", BODY) == BODY

    name = f"{language}.txt"
    await used(dapr_app, language, "write", f"bindings/{BINDING}/create?fileName={name}", b"kept!")
    assert (dapr_app.files / name).read_bytes() == b"kept!"
    assert await used(dapr_app, language, "exchange", f"bindings/{BINDING}/get?fileName={name}") == b"kept!"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("path", "missing"),
    [
        (f"state/{STATE}/others", f"state '{STATE}/others' is not granted"),
        ("state/other/orders-1", "state 'other/orders-1' is not granted"),
        (f"secrets/{SECRETS}/API_KEY", f"secret '{SECRETS}/API_KEY' is not granted"),
    ],
)
async def test_what_is_not_granted(dapr_app: DaprApp, language: str, path: str, missing: str) -> None:
    """The program gets EACCES, and its caller a 403 that names the missing grant."""
    reply = await use(dapr_app, language, "read", path)

    assert reply.status == 403, reply
    assert missing in json.loads(reply.body)["message"]


@pytest.mark.parametrize("language", LANGUAGES)
async def test_what_can_not_be_sent(dapr_app: DaprApp, language: str) -> None:
    """A program that left it to the end has failed, though it exited with 0."""
    failure = failure_of(await use(dapr_app, language, "leave", "state/missing/k", b"x"))

    assert failure.reason == "UNSENT"
    assert "state 'missing/k' could not be written" in failure.message


async def test_a_function_without_grants(dapr_app: DaprApp) -> None:
    """It has no directory /dapr: that path is as missing as any other."""
    with_dapr = await use(dapr_app, "plain", "read", f"state/{STATE}/orders-1")
    without = await dapr_app.sidecar.invoke(APP_ID, "plain?read&/nothing/here")

    messages = [json.loads(reply.body)["message"] for reply in (with_dapr, without)]
    assert with_dapr.status == without.status == 500
    assert messages[0].replace(f"/dapr/state/{STATE}/orders-1", "PATH") == messages[1].replace(
        "/nothing/here", "PATH"
    )


async def test_a_component_that_is_not_there(dapr_app: DaprApp) -> None:
    """Dapr's refusal is EIO; the log names what could not be done, and the code, but not the sidecar's words."""
    await dapr_app.broker.length("news")
    reply = await use(dapr_app, "c", "exchange", f"bindings/{BINDING}/get?fileName=missing.txt")

    assert reply.status == 500
    message = json.loads(reply.body)["message"]
    assert f"dapr: binding '{BINDING}/get' could not be invoked: " in message
    assert str(dapr_app.files) not in message
