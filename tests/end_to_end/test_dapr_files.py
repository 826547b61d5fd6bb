"""Dapr as files, behind a real sidecar with Redis: by the standard libraries of four languages alone."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from end_to_end.dapr_app import (
    APP_ID,
    BINDING,
    CONFIGURATION,
    PUBSUB,
    SECRETS,
    STATE,
    DaprApp,
    run_dapr_app,
)
from end_to_end.failures import failure_of
from integration.guests import write_function
from rig import Reply

__all__ = ["app"]

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


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def app(
    functions: Path,
    engine: str,
    cache_environment: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[DaprApp]:
    """An app on each engine."""
    folder = tmp_path_factory.mktemp(f"dapr-files-{engine}")
    async with run_dapr_app(functions, folder, "--engine", engine, env=cache_environment) as running:
        yield running


async def use(app: DaprApp, language: str, command: str, path: str, body: bytes = b"") -> Reply:
    """Let a program do something with a file below ``/dapr``."""
    return await app.sidecar.invoke(APP_ID, f"{language}?{command}&/dapr/{path}", body)


async def used(app: DaprApp, language: str, command: str, path: str, body: bytes = b"") -> bytes:
    """Let a program do something with a file, which must succeed; return what it wrote to standard output."""
    reply = await use(app, language, command, path, body)
    assert reply.status == 200, reply
    return reply.body


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("key", ["orders-1", "a%2Fb"])
async def test_state(app: DaprApp, language: str, key: str) -> None:
    """A value is created, read and removed as a file is; a missing one is not there."""
    path = f"state/{STATE}/{key}"

    assert await used(app, language, "exists", path) == b"no\n"
    await used(app, language, "write", path, BODY)
    assert await used(app, language, "exists", path) == b"yes\n"
    assert await used(app, language, "read", path) == BODY
    await used(app, language, "write", path, b"")
    assert await used(app, language, "read", path) == b""
    await used(app, language, "remove", path)
    assert await used(app, language, "exists", path) == b"no\n"


@pytest.mark.parametrize("language", LANGUAGES)
async def test_state_that_expires(app: DaprApp, language: str) -> None:
    """The store gets a path's parameters as metadata."""
    await used(app, language, "write", f"state/{STATE}/orders-{language}?ttlInSeconds=1000", b"x")

    assert 0 < await app.redis.ttl(f"{STATE}||orders-{language}") <= 1000


@pytest.mark.parametrize("language", LANGUAGES)
async def test_values(app: DaprApp, language: str) -> None:
    """Secrets and configuration are files that can only be read."""
    await app.redis.set("flag-a", "on||v1")

    assert await used(app, language, "read", f"secrets/{SECRETS}/DB_URL") == b"postgres://user:pass@db"
    assert await used(app, language, "read", f"configuration/{CONFIGURATION}/flag-a") == b"on"
    assert await used(app, language, "exists", f"configuration/{CONFIGURATION}/flag-b") == b"no\n"
    assert (await use(app, language, "write", f"secrets/{SECRETS}/DB_URL", b"x")).status == 500


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("command", ["write", "leave"])
async def test_a_topic(app: DaprApp, language: str, command: str) -> None:
    """What is written to a topic is one message, whether the program closes the file or not."""
    before = await app.broker.length("news")

    await used(app, language, command, f"publish/{PUBSUB}/news?content-type=application/json", b'{"a": 1}')

    assert await app.broker.length("news") == before + 1
    event = (await app.broker.events("news", before + 1))[-1]
    assert (event["data"], event["datacontenttype"]) == ({"a": 1}, "application/json")


@pytest.mark.parametrize("language", LANGUAGES)
async def test_exchanges(app: DaprApp, language: str) -> None:
    """A request is written, and its answer read from the same file: of another function, and of a binding."""
    assert await used(app, language, "exchange", f"invoke/{APP_ID}/echo", BODY) == BODY

    name = f"{language}.txt"
    await used(app, language, "write", f"bindings/{BINDING}/create?fileName={name}", b"kept!")
    assert (app.files / name).read_bytes() == b"kept!"
    assert await used(app, language, "exchange", f"bindings/{BINDING}/get?fileName={name}") == b"kept!"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("path", "missing"),
    [
        (f"state/{STATE}/others", f"state '{STATE}/others' is not granted"),
        ("state/other/orders-1", "state 'other/orders-1' is not granted"),
        (f"secrets/{SECRETS}/API_KEY", f"secret '{SECRETS}/API_KEY' is not granted"),
    ],
)
async def test_what_is_not_granted(app: DaprApp, language: str, path: str, missing: str) -> None:
    """The program gets EACCES, and its caller a 403 that names the missing grant."""
    reply = await use(app, language, "read", path)

    assert reply.status == 403, reply
    assert missing in json.loads(reply.body)["message"]


@pytest.mark.parametrize("language", LANGUAGES)
async def test_what_can_not_be_sent(app: DaprApp, language: str) -> None:
    """A program that left it to the end has failed, though it exited with 0."""
    failure = failure_of(await use(app, language, "leave", "state/missing/k", b"x"))

    assert failure.reason == "UNSENT"
    assert "state 'missing/k' could not be written" in failure.message


async def test_a_function_without_grants(app: DaprApp) -> None:
    """It has no directory /dapr: that path is as missing as any other."""
    with_dapr = await use(app, "plain", "read", f"state/{STATE}/orders-1")
    without = await app.sidecar.invoke(APP_ID, "plain?read&/nothing/here")

    messages = [json.loads(reply.body)["message"] for reply in (with_dapr, without)]
    assert with_dapr.status == without.status == 500
    assert messages[0].replace(f"/dapr/state/{STATE}/orders-1", "PATH") == messages[1].replace(
        "/nothing/here", "PATH"
    )


async def test_a_component_that_is_not_there(app: DaprApp) -> None:
    """Dapr's refusal is EIO; the log names what could not be done, and the code, but not the sidecar's words."""
    await app.broker.length("news")
    reply = await use(app, "c", "exchange", f"bindings/{BINDING}/get?fileName=missing.txt")

    assert reply.status == 500
    message = json.loads(reply.body)["message"]
    assert f"dapr: binding '{BINDING}/get' could not be invoked: " in message
    assert str(app.files) not in message
