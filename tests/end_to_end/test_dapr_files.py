"""Dapr as files: programs that know only their standard library, behind a real sidecar with Redis."""

from __future__ import annotations

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

pytestmark = pytest.mark.asyncio(loop_scope="module")

REPOSITORY = Path(__file__).resolve().parents[2]
GUESTS = REPOSITORY / "tests" / "conformance" / "guests"
LANGUAGES = ("assemblyscript", "c", "go", "rust")
BODY = bytes(range(256)) * 100

GRANTS = f"""
state = ["{STATE}/orders-*", "missing/*"]
publish = ["{PUBSUB}/files-*"]
invoke = ["{APP_ID}/echo"]
secrets = ["{SECRETS}/DB_URL"]
bindings = ["{BINDING}/create", "{BINDING}/get"]
configuration = ["{CONFIGURATION}/flag-*"]
"""


@pytest.fixture(scope="module")
def functions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The guest of each language, which does what its query says, and a function that echoes."""
    folder = tmp_path_factory.mktemp("dapr-files") / "functions"
    for language in LANGUAGES:
        place = folder / language
        place.mkdir(parents=True)
        shutil.copy(GUESTS / language / "guest.wasm", place)
        manifest = f'name = "{language}"\nmodule = "guest.wasm"\nargs = "query"\n'
        trigger = f'[[trigger.invoke]]\nmethod = "{language}"\n'
        (place / "function.toml").write_text(f"{manifest}\n{trigger}\n[capabilities.dapr]\n{GRANTS}\n")
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


@pytest.fixture(params=LANGUAGES)
def language(request: pytest.FixtureRequest) -> str:
    """Each language in turn."""
    name: str = request.param
    return name


async def _try(app: DaprApp, language: str, command: str, path: str, body: bytes = b"") -> Reply:
    return await app.sidecar.invoke(APP_ID, f"{language}?{command}&/dapr/{path}", body)


async def _use(app: DaprApp, language: str, command: str, path: str, body: bytes = b"") -> bytes:
    reply = await _try(app, language, command, path, body)
    assert reply.status == 200, reply
    return reply.body


async def test_state(app: DaprApp, language: str) -> None:
    """A value is created, found, read, replaced and removed as a file is."""
    path = f"state/{STATE}/orders-%2F{language}"

    seen = [await _use(app, language, "exists", path)]
    for body in (BODY, b"", b"short"):
        await _use(app, language, "write", path, body)
        seen.append(await _use(app, language, "exists", path))
        assert await _use(app, language, "read", path) == body
    await _use(app, language, "remove", path)
    seen.append(await _use(app, language, "exists", path))

    assert seen == [b"no\n", b"yes\n", b"yes\n", b"yes\n", b"no\n"]


async def test_state_that_expires(app: DaprApp, language: str) -> None:
    """The store gets the parameters as metadata."""
    await _use(app, language, "write", f"state/{STATE}/orders-ttl-{language}?ttlInSeconds=1000", b"x")

    assert 0 < await app.redis.ttl(f"{STATE}||orders-ttl-{language}") <= 1000


@pytest.mark.parametrize("command", ["write", "leave"])
async def test_a_message(app: DaprApp, language: str, command: str) -> None:
    """What is written reaches the broker as one event, whether the file is closed or not."""
    topic = f"files-{language}-{command}"

    await _use(app, language, command, f"publish/{PUBSUB}/{topic}?content-type=text/plain", b"hello")

    (event,) = await app.broker.events(topic, 1)
    assert (event["data"], event["datacontenttype"]) == ("hello", "text/plain")
    assert await app.broker.length(topic) == 1


async def test_a_method(app: DaprApp, language: str) -> None:
    """Another function gets what is written, and its answer is read."""
    answers = [await _use(app, language, "exchange", f"invoke/{APP_ID}/echo", body) for body in (BODY, b"")]

    assert answers == [BODY, b""]


async def test_a_binding(app: DaprApp, language: str) -> None:
    """A file is made by one operation and read by another."""
    name = f"fileName={language}.bin"
    await _use(app, language, "exchange", f"bindings/{BINDING}/create?{name}", b"\xffdata")

    assert (app.files / f"{language}.bin").read_bytes() == b"\xffdata"
    assert await _use(app, language, "exchange", f"bindings/{BINDING}/get?{name}") == b"\xffdata"


async def test_secrets_and_configuration(app: DaprApp, language: str) -> None:
    """They are read; an item that does not exist is a missing file."""
    await app.redis.set("flag-colour", "blue||1")

    assert await _use(app, language, "read", f"secrets/{SECRETS}/DB_URL") == b"postgres://user:pass@db"
    assert await _use(app, language, "read", f"configuration/{CONFIGURATION}/flag-colour") == b"blue"
    assert await _use(app, language, "exists", f"configuration/{CONFIGURATION}/flag-none") == b"no\n"


async def test_what_is_not_granted(app: DaprApp, language: str) -> None:
    """The call is denied, and names what was missing."""
    failure = failure_of(await _try(app, language, "read", f"state/{STATE}/others"))

    assert failure.reason == "DENIED"
    assert f"state '{STATE}/others' is not granted; expected it in capabilities.dapr.state" in failure.message


async def test_what_can_not_be_sent(app: DaprApp, language: str) -> None:
    """A program that left it to the end has failed, though it exited with 0."""
    failure = failure_of(await _try(app, language, "leave", "state/missing/k", b"x"))

    assert failure.reason == "UNSENT"
    assert "state 'missing/k' could not be written" in failure.message
