"""Where results go besides the reply: state, bindings and lists of destinations, behind a real sidecar with Redis."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from end_to_end.dapr_app import APP_ID, BINDING, PUBSUB, STATE, DaprApp, run_dapr_app
from end_to_end.topics import texts_of, topic_trigger
from integration.guests import write_function
from rig import Reply, free_port

__all__ = ["app"]

pytestmark = pytest.mark.asyncio(loop_scope="module")

DOWN = "webhook"
UPDATE = '{{ store = "{store}", key = "{key}", concurrency = "first-write", etag = "{{json:/etag}}" }}'
METHODS = {
    "save": f'state = {{ store = "{STATE}", key = "{{method}}-{{json:/id}}" }}',
    "keep": f'state = {{ store = "{STATE}", key = "kept", ttl = "1m" }}',
    "update": f"state = {UPDATE.format(store=STATE, key='{json:/id}')}",
    "first": f'state = {{ store = "{STATE}", key = "{{json:/id}}", concurrency = "first-write" }}',
    "file": (
        f'binding = {{ name = "{BINDING}", operation = "create", metadata = {{ fileName = "{{json:/id}}" }} }}'
    ),
    "post": f'binding = {{ name = "{DOWN}", operation = "post" }}',
    "lose": 'binding = { name = "nowhere", operation = "create" }',
}


def trigger(method: str, *outputs: str) -> str:
    """Return the manifest's table of a method whose result goes to these destinations."""
    tables = ", ".join(f"{{ {output} }}" for output in outputs)
    return f'[[trigger.invoke]]\nmethod = "{method}"\nthen = [{tables}]\n'


@pytest.fixture(scope="module")
def functions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One function that echoes, with a method for each destination."""
    folder = tmp_path_factory.mktemp("then") / "functions"
    state = f'state = {{ store = "{STATE}", key = "{{id}}" }}'
    publish = f'publish = {{ pubsub = "{PUBSUB}", topic = "done" }}'
    write_function(
        folder,
        "echo",
        sections='content_type = "application/json"\n[outcome]\nthen_failed = "drop"\n',
        trigger="\n".join(
            [
                *(trigger(method, output) for method, output in METHODS.items()),
                trigger("three", METHODS["save"], METHODS["post"], METHODS["file"]),
                topic_trigger("in", 'dead_letter = "dead"', f"then = [{{ {state} }}, {{ {publish} }}]"),
                topic_trigger(
                    "stale", 'dead_letter = "dead"', f"then = [{{ {METHODS['update']} }}, {{ {publish} }}]"
                ),
            ]
        ),
    )
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def app(
    functions: Path,
    engine: str,
    cache_environment: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[DaprApp]:
    """An app on each engine; one of its bindings posts to a server that is down."""
    folder = tmp_path_factory.mktemp(f"then-{engine}")
    components = {DOWN: ("bindings.http", {"url": f"http://127.0.0.1:{free_port()}"})}
    async with run_dapr_app(
        functions, folder, "--engine", engine, env=cache_environment, components=components
    ) as running:
        yield running


async def invoke(app: DaprApp, method: str, **members: str) -> Reply:
    """Call a method with a JSON object, which is also its result."""
    return await app.sidecar.invoke(APP_ID, method, json.dumps(members).encode())


async def failure(app: DaprApp, method: str, **members: str) -> tuple[int, str]:
    """Return how a call fails: its HTTP status and message."""
    reply = await invoke(app, method, **members)
    return reply.status, json.loads(reply.body)["message"]


async def test_state(app: DaprApp) -> None:
    """The result is saved byte for byte under the key that its template names, before the caller has the reply."""
    reply = await invoke(app, "save", id="7")

    assert (reply.status, reply.body) == (200, b'{"id": "7"}')
    assert (await app.saved("save-7")).body == b'{"id": "7"}'


async def test_a_key_that_is_no_text(app: DaprApp) -> None:
    """JSON can write half of a surrogate pair, which no message to Dapr can hold: the call fails and says so."""
    found = await failure(app, "save", id="\ud800")

    assert found == (
        500,
        "function 'echo': its result could not be sent on: {json:/id}: the value there is not valid Unicode",
    )


async def test_state_for_a_time(app: DaprApp) -> None:
    """The store forgets the result after its time to live."""
    assert (await invoke(app, "keep")).status == 200

    assert 0 < await app.redis.ttl(f"{STATE}||kept") <= 60


async def test_a_stale_etag(app: DaprApp) -> None:
    """The key is written while it has the result's ETag; after that the call fails, and the value stays."""
    await invoke(app, "save", id="etag")
    before = await app.saved("save-etag")

    first = await invoke(app, "update", id="save-etag", etag=before.headers["etag"], by="first")
    second = await failure(app, "update", id="save-etag", etag=before.headers["etag"], by="second")

    assert (before.status, first.status) == (200, 200)
    assert second == (
        500,
        f"function 'echo': its result could not be saved as {STATE}/save-etag: ABORTED",
    )
    assert json.loads((await app.saved("save-etag")).body)["by"] == "first"


async def test_the_first_write(app: DaprApp) -> None:
    """Without an ETag, Redis refuses a first-write only where one was before, and then any other write too."""
    await invoke(app, "save", id="first")

    over_another = await invoke(app, "first", id="save-first")
    first = await invoke(app, "first", id="save-new", by="first")
    second = await failure(app, "first", id="save-new", by="second")
    last = await failure(app, "save", id="new")

    assert (over_another.status, first.status, second[0], last[0]) == (200, 200, 500, 500)
    assert json.loads((await app.saved("save-new")).body)["by"] == "first"


async def test_a_binding(app: DaprApp) -> None:
    """The result is the data of the operation, and the metadata are filled in."""
    reply = await invoke(app, "file", id="a.json")

    assert reply.status == 200
    assert (app.files / "a.json").read_bytes() == b'{"id": "a.json"}'


@pytest.mark.parametrize(
    ("method", "binding"), [("post", f"{DOWN}/post"), ("lose", "nowhere/create")], ids=["down", "unknown"]
)
async def test_a_binding_that_fails(app: DaprApp, method: str, binding: str) -> None:
    """The caller gets an error that doesn't name the component's hosts, which the server's log does."""
    status, message = await failure(app, method)

    assert status == 500
    assert message == f"function 'echo': its result could not be sent to binding {binding}: INTERNAL"
    await app.server.process.stderr.match(f"a result could not be sent to binding {binding}: INTERNAL: ")


async def test_the_second_of_three_destinations_fails(app: DaprApp) -> None:
    """The first keeps the result, the third doesn't get it, and the caller learns both."""
    found = await failure(app, "three", id="b.json")

    assert found == (
        500,
        f"function 'echo': its result could not be sent to binding {DOWN}/post: INTERNAL; "
        f"it was saved as {STATE}/three-b.json before",
    )
    assert (await app.saved("three-b.json")).body == b'{"id": "b.json"}'
    assert not (app.files / "b.json").exists()


async def publish(app: DaprApp, topic: str, data: bytes) -> None:
    """Publish a message by HTTP."""
    reply = await app.sidecar.request(
        "POST", f"/v1.0/publish/{PUBSUB}/{topic}", data, headers={"content-type": "text/plain"}
    )
    assert reply.status == 204


async def test_an_event_to_two_destinations(app: DaprApp) -> None:
    """Both have the result before the message is acknowledged; the key is the message's id."""
    await publish(app, "in", b'"both"')
    await app.broker.settled("in", APP_ID)

    (event,) = await app.broker.events("in", 1)
    assert (await app.saved(event["id"])).body == b'"both"'
    assert await texts_of(app.broker, "done") == ["both"]


async def test_an_event_whose_etag_is_stale(app: DaprApp) -> None:
    """It is `then_failed`, here a drop: the dead letter has it, and the second destination doesn't."""
    await invoke(app, "save", id="stale")
    before = await app.broker.length("done")
    stale = json.dumps({"id": "save-stale", "etag": "77"})

    await publish(app, "stale", stale.encode())
    await app.broker.settled("stale", APP_ID)

    assert stale in await texts_of(app.broker, "dead")
    assert await app.broker.length("done") == before
    await app.server.process.stderr.match(
        "is dropped: THEN_FAILED: function 'echo': its result could not be saved"
    )
