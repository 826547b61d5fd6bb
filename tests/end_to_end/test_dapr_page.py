"""What docs/dapr.md shows works behind a real sidecar: its files in each language, and its requests in JSON."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
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
    write_caller,
)
from integration.guests import write_function
from rig import Reply, missing

__all__ = ["app", "no_order"]

# The first test builds a program in each language, and compiles its module.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(150)]

REPOSITORY = Path(__file__).resolve().parents[2]
DOCS = REPOSITORY / "docs"
PAGE = (DOCS / "dapr.md").read_text("utf-8")
FRAMES = Path(__file__).with_name("guests") / "dapr_page"
NODE_MODULES = REPOSITORY / "tests" / "conformance" / "guests" / "assemblyscript" / "node_modules"

EXAMPLES = (
    "Save state",
    "Get state",
    "Delete state",
    "Publish",
    "Invoke",
    "Secret",
    "Configuration",
    "Binding",
)
EXAMPLE_LINES = 3
BUILD_TIMEOUT_S = 120.0

KEY = "orders-1"
PAID, UNPAID = b'{"paid": true}', b'{"paid": false}'

GRANTS = f"""
state = ["{STATE}/orders-*"]
publish = ["{PUBSUB}/orders"]
invoke = ["{APP_ID}/quote"]
secrets = ["{SECRETS}/DB_URL"]
bindings = ["{BINDING}/create"]
configuration = ["{CONFIGURATION}/flag-*"]
"""
MANIFEST = """
name = "{name}"
module = "guest.wasm"
args = "query"
[[trigger.invoke]]
method = "{name}"
[capabilities.dapr]
"""


@dataclass(frozen=True)
class Language:
    """How the page's examples in one language become a program."""

    fence: str  # the kind of their block on the page
    source: str  # the frame in FRAMES, with a line `{Save state}` and so on for each example
    command: tuple[str, ...]
    is_installed: Callable[[], bool]
    origin: str  # how it gets here
    is_optional: bool = False  # scripts/test goes on without it, in CI too
    files: tuple[Path, ...] = ()  # what stands beside the source
    env: Mapping[str, str] = field(default_factory=dict)


LANGUAGES = {
    "c": Language(
        fence="c",
        source="guest.c",
        command=("clang", "--target=wasm32-wasi", "--sysroot=/usr", "-O2", "guest.c", "-o", "guest.wasm"),
        is_installed=lambda: bool(shutil.which("clang")) and Path("/usr/lib/wasm32-wasi/libc.a").exists(),
        origin="scripts/test installs it",
    ),
    "go": Language(
        fence="go",
        source="guest.go",
        command=("go", "build", "-ldflags=-s -w", "-o", "guest.wasm", "guest.go"),
        is_installed=lambda: shutil.which("go") is not None,
        origin="expected Go 1.21 or newer on the PATH",
        env={"GOOS": "wasip1", "GOARCH": "wasm", "GOWORK": "off", "GOTOOLCHAIN": "local"},
    ),
    "rust": Language(
        fence="rust",
        source="guest.rs",
        # Debian's, which docs/functions.md speaks of: a rustup in PATH would come first.
        command=("/usr/bin/rustc", "--target", "wasm32-wasi", "-O", "guest.rs", "-o", "guest.wasm"),
        is_installed=lambda: (
            Path("/usr/bin/rustc").exists() and Path("/usr/lib/rustlib/wasm32-wasi").exists()
        ),
        origin="scripts/test installs it",
    ),
    "assemblyscript": Language(
        fence="ts",
        source="guest.ts",
        command=(
            *("npx", "asc", "--config", "node_modules/@assemblyscript/wasi-shim/asconfig.json"),
            *("-O", "guest.ts", "-o", "guest.wasm"),
        ),
        is_installed=lambda: NODE_MODULES.exists() and shutil.which("npx") is not None,
        origin="scripts/test gets it, with Node.js 20 or newer on the PATH",
        is_optional=True,
        files=(DOCS / "dapr.ts", NODE_MODULES),
    ),
}


def section(title: str) -> str:
    """Return a section of the page, to the next one of its rank."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None, f"no section {title!r} in docs/dapr.md"
    return found[1]


def examples(fence: str) -> dict[str, str]:
    """Return the examples of one language by their names, which are comments on the page."""
    (block,) = re.findall(rf"^```{fence}\n(.*?)^```$", section("Dapr as files"), re.MULTILINE | re.DOTALL)
    parts = re.split(r"^(?://|/\*) ([A-Z][a-z ]+)\.(?: \*/)?\n", block, flags=re.MULTILINE)
    return dict(zip(parts[1::2], map(str.strip, parts[2::2]), strict=True))


def declarations(fence: str) -> str:
    """Return what the page shows of a program that calls Dapr's API; "" in most languages."""
    blocks = re.findall(rf"^```{fence}\n(.*?)^```$", section("Dapr's API"), re.MULTILINE | re.DOTALL)
    return "".join(blocks)


def requests() -> list[tuple[str, str]]:
    """Return the requests to Dapr's API that the page shows, each with its method."""
    pattern = r"by `(\w+)`[^\n]*:\n\n```json\n(.*?)^```$"
    return re.findall(pattern, section("Dapr's API"), re.MULTILINE | re.DOTALL)


def build(name: str, folder: Path) -> None:
    """Put the examples of a language into a program, and build it."""
    language = LANGUAGES[name]
    if not language.is_installed():
        reason = f"no toolchain for {name}: {language.origin}"
        if language.is_optional:
            pytest.skip(reason)
        missing(reason)
    folder.mkdir(parents=True)
    text = (FRAMES / language.source).read_text("utf-8")
    text = text.replace("{Dapr's API}", declarations(language.fence))
    for title, lines in examples(language.fence).items():
        text = text.replace(f"{{{title}}}", lines)
    (folder / language.source).write_text(text, "utf-8")
    for file in language.files:
        (folder / file.name).symlink_to(file)
    env = {**os.environ, **language.env}
    built = subprocess.run(
        language.command,
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=BUILD_TIMEOUT_S,
    )
    assert built.returncode == 0, built.stderr


@pytest.fixture(scope="module", params=LANGUAGES)
def language(request: pytest.FixtureRequest) -> str:
    """Each language of the page."""
    name: str = request.param
    return name


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def app(
    language: str, cache_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[DaprApp]:
    """An app with the program of one language, an app's method to call, and a function that makes any call."""
    folder = tmp_path_factory.mktemp(f"dapr-page-{language}")
    functions = folder / "functions"
    build(language, functions / "guest")
    for file in LANGUAGES[language].files:
        (functions / "guest" / file.name).unlink()
    (functions / "guest" / "function.toml").write_text(MANIFEST.format(name="guest") + GRANTS)
    write_caller(functions, "caller", GRANTS)
    write_function(functions, "quote", guest="echo")
    async with run_dapr_app(functions, folder, env=cache_environment) as running:
        await running.redis.set("flag-a", "on||v1")
        yield running


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def no_order(app: DaprApp) -> None:
    """The state store without the key that the page uses."""
    await app.redis.delete(f"{STATE}||{KEY}")


async def run(app: DaprApp, example: str) -> Reply:
    """Run one example."""
    return await app.sidecar.invoke(APP_ID, f"guest?{example.replace(' ', '-')}")


async def text_of(app: DaprApp, example: str) -> bytes:
    """Run one example, which must succeed; return what it has read."""
    reply = await run(app, example)
    assert reply.status == 200, reply
    return reply.body


async def save(app: DaprApp, value: bytes) -> None:
    """Save a value of the key that the page uses."""
    state = {"key": KEY, "value": base64.b64encode(value).decode()}
    await app.response("caller", "SaveState", {"storeName": STATE, "states": [state]})


async def test_each_example_is_short(language: str) -> None:
    """There is one for each building block, of at most three lines."""
    found = examples(LANGUAGES[language].fence)

    assert tuple(found) == EXAMPLES
    assert max(len(lines.splitlines()) for lines in found.values()) <= EXAMPLE_LINES


async def test_state(app: DaprApp) -> None:
    """It is saved, read and deleted."""
    await text_of(app, "Save state")
    assert await app.value("caller", KEY) == PAID

    await save(app, UNPAID)
    assert await text_of(app, "Get state") == UNPAID

    await text_of(app, "Delete state")
    assert await app.value("caller", KEY) is None


async def test_publish(app: DaprApp) -> None:
    """The broker gets one event, in JSON."""
    await text_of(app, "Publish")

    (event,) = await app.broker.events("orders", 1)
    assert (event["data"], event["datacontenttype"]) == ({"id": 1}, "application/json")


@pytest.mark.parametrize(
    ("example", "text"),
    [("Invoke", b'{"id": 1}'), ("Secret", b"postgres://user:pass@db"), ("Configuration", b"on")],
)
async def test_what_is_read(app: DaprApp, example: str, text: bytes) -> None:
    """The answer of an app's method, which echoes here, a secret, and a configuration item."""
    assert await text_of(app, example) == text


async def test_a_binding(app: DaprApp) -> None:
    """It gets its data and its metadata."""
    await text_of(app, "Binding")

    assert (app.files / "note.txt").read_bytes() == b"to be kept"


@pytest.mark.parametrize("language", ["c"], indirect=True)
async def test_a_call_of_the_api(app: DaprApp) -> None:
    """A program gets the response to the request that its body is, or writes the error to its log."""
    await save(app, PAID)
    (_, request), *_ = requests()

    called = await app.sidecar.invoke(APP_ID, "guest?GetState", request.encode())
    refused = await app.sidecar.invoke(APP_ID, "guest?Nonsense", request.encode())

    assert base64.b64decode(json.loads(called.body)["data"]) == PAID
    assert refused.status == 403, refused
    assert "'Nonsense' may not be called; expected one of GetState" in json.loads(refused.body)["message"]


async def test_the_api(app: DaprApp) -> None:
    """The page's requests do what it says: the first update wins, and a transaction changes all."""
    await save(app, UNPAID)
    (get, got), (update, updated), (transact, operations) = requests()
    (response,) = re.findall(r"^The response[^\n]*:\n\n```json\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    (error,) = re.findall(r"^```text\n(.*)\n```$", section("Dapr's API"), re.MULTILINE)

    assert await app.response("caller", get, json.loads(got)) == json.loads(response)
    await app.response("caller", update, json.loads(updated))
    assert await app.value("caller", KEY) == PAID
    assert error in await app.error("caller", update, json.loads(updated))
    await app.response("caller", transact, json.loads(operations))
    assert await app.value("caller", KEY) is None
    assert await app.value("caller", "orders-2") == PAID


async def test_a_key_that_was_saved_with_first_write(app: DaprApp) -> None:
    """Without an etag the request creates the key; then Redis refuses it, and a file too."""
    _, (update, request), _ = requests()
    create = json.loads(request)
    (state,) = create["states"]
    del state["etag"]
    state["value"] = base64.b64encode(UNPAID).decode()

    await app.response("caller", update, create)
    refused = await app.error("caller", update, create)
    await run(app, "Save state")

    assert "INTERNAL: SaveState: Dapr answered with this error" in refused
    assert await app.value("caller", KEY) == UNPAID
