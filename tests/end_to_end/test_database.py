"""Rows in PostgreSQL behind a real sidecar: what `then` writes and a function reads, through one binding."""

from __future__ import annotations

import base64
import json
import re
import shutil
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from end_to_end.dapr_app import APP_ID, PUBSUB, DaprApp, run_dapr_app, write_caller
from end_to_end.pictures import encoded, sample
from end_to_end.topics import topic_trigger
from integration.guests import write_function
from rig import Postgres, Reply, postgres

__all__ = ["shop"]

pytestmark = pytest.mark.asyncio(loop_scope="module")

REPOSITORY = Path(__file__).resolve().parents[2]
FUNCTIONS = REPOSITORY / "functions"
PAGE = (REPOSITORY / "docs" / "database.md").read_text("utf-8")
DATABASE = "db"
TABLE = """
CREATE TABLE orders (
  id text PRIMARY KEY,
  customer text,
  total numeric CHECK (total >= 0),
  number bigint,
  is_paid boolean,
  ordered timestamptz,
  document jsonb,
  tries int DEFAULT 1
)
"""
COLUMNS = {
    "customer": "customer",
    "total": "total",
    "number": "number",
    "is_paid": "paid",
    "ordered": "ordered",
}
"""Columns of the table, and the members of an order that they are filled from."""


def insert(key: str) -> str:
    """Return the destination that stores an order, or counts one more try of it, under a template for its key."""
    names = list(COLUMNS)
    numbers = ", ".join(f"${number}" for number in range(1, len(names) + 3))
    sql = (
        f"INSERT INTO orders (id, {', '.join(names)}, document) VALUES ({numbers})"  # noqa: S608
        " ON CONFLICT (id) DO UPDATE SET tries = orders.tries + 1"
    )
    params = [key, *(f"{{json:/{member}}}" for member in COLUMNS.values()), "{result}"]
    metadata = f"sql = '''{sql}''', params = {json.dumps(params)}"
    return f'{{ binding = {{ name = "{DATABASE}", operation = "exec", metadata = {{ {metadata} }} }} }}'


@dataclass(frozen=True)
class Shop:
    """The app, and the database behind it."""

    app: DaprApp
    database: Postgres

    async def order(self, **members: Any) -> Reply:
        """Order by a service invocation; what is not said is null."""
        order = {**dict.fromkeys(COLUMNS.values()), **members}
        return await self.app.sidecar.invoke(APP_ID, "order", json.dumps(order).encode())

    async def row(self, key: str) -> dict[str, Any]:
        """Return an order's row."""
        rows = await self.database.rows(f"SELECT * FROM orders WHERE id = '{key}'")  # noqa: S608
        assert len(rows) == 1, rows
        return rows[0]

    async def ask(self, operation: str, sql: str, *params: Any, function: str = "clerk") -> Reply:
        """Let a function call the binding itself."""
        metadata = {"sql": sql, "params": json.dumps(params)}
        request = {"name": DATABASE, "operation": operation, "metadata": metadata}
        return await self.app.call(function, "InvokeBinding", request)


@pytest.fixture(scope="module")
def functions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Functions that store orders, and one that may ask for them."""
    folder = tmp_path_factory.mktemp("database") / "functions"
    trigger = f'[[trigger.invoke]]\nmethod = "order"\nthen = {insert("{json:/id}")}\n'
    trigger += topic_trigger("orders", f"then = {insert('{id}')}")
    write_function(folder, "order", guest="echo", trigger=trigger)
    (shown,) = re.findall(r"^```toml\n(\[\[trigger\.topic.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    write_function(folder, "report", guest="echo", trigger=shown)
    write_caller(folder, "clerk", f'bindings = ["{DATABASE}/exec", "{DATABASE}/query"]')
    write_caller(folder, "reader", f'bindings = ["{DATABASE}/query"]')
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(
    functions: Path,
    engine: str,
    cache_environment: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Shop]:
    """An app on each engine, with a database."""
    folder = tmp_path_factory.mktemp(f"database-{engine}")
    async with postgres() as database:
        await database.run(TABLE)
        components = {DATABASE: ("bindings.postgresql", {"connectionString": database.connection})}
        async with run_dapr_app(
            functions, folder, "--engine", engine, env=cache_environment, components=components
        ) as app:
            yield Shop(app, database)


async def test_a_row(shop: Shop) -> None:
    """Each value of the result is in the column of its type, and the result itself in another."""
    reply = await shop.order(
        id="7", customer="Ada", total=12.50, number=2**60 + 1, paid=True, ordered="2026-01-31T12:00:00Z"
    )
    row = await shop.row("7")

    assert reply.status == 200, reply
    assert json.loads(reply.body) == row.pop("document")
    assert row == {
        "id": "7",
        "customer": "Ada",
        "total": 12.5,
        "number": 2**60 + 1,
        "is_paid": True,
        "ordered": "2026-01-31T12:00:00+00:00",
        "tries": 1,
    }


async def test_nothing_is_null(shop: Shop) -> None:
    """A null of the result is NULL, and false is not."""
    await shop.order(id="nulls", paid=False)
    row = await shop.row("nulls")

    assert [row[name] for name in COLUMNS] == [None, None, None, False, None]


HOSTILE = {
    "end of a string": "'); DROP TABLE orders; --",
    "end of a parameter": '", "x',
    "end of the parameters": '"], ["',
    "end of the parameters and a comment": '"] //',
    "backslash": "\\",
    "escaped quotation mark": '\\", "',
    "dollar quoting": "$$; DROP TABLE orders; $$",
    "another parameter": "$1",
    "another placeholder": "{id}{result}",
    "a pointer": "{json:/id}",
    "line separators": "a\nb\r\u2028c",
    "letters of two units": "𝄞 ' \\ \" é",
    "empty": "",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
async def test_a_text_that_would_change_the_statement(shop: Shop, text: str) -> None:
    """It is stored as it is, as the key and in another column; the other values stay in theirs."""
    key = f"hostile {text}"

    reply = await shop.order(id=key, customer=text, total=1, paid=True)

    assert reply.status == 200, reply
    rows = await shop.database.rows("SELECT id, customer, total, is_paid, tries FROM orders")
    expected = {"id": key, "customer": text, "total": 1, "is_paid": True, "tries": 1}
    assert [row for row in rows if row["id"] == key] == [expected]


REFUSED = {
    "a fraction for a whole number": {"number": 1.5},
    "SQL for a number": {"total": "1); DROP TABLE orders; --"},
    "too large": {"number": 2**63},
    "broken constraint": {"total": -1},
    "a NUL character": {"customer": "a\0b"},
    "an object for a number": {"number": {"a": 1}},
}


@pytest.mark.parametrize("members", REFUSED.values(), ids=REFUSED)
async def test_a_value_that_the_database_refuses(shop: Shop, members: dict[str, Any]) -> None:
    """Nothing is stored and nothing is rounded. The caller gets no word of the database's, the log has them."""
    reply = await shop.order(id="refused", **members)

    assert (reply.status, json.loads(reply.body)["message"]) == (
        500,
        "function 'order': its result could not be sent to binding db/exec: INTERNAL",
    )
    assert await shop.database.rows("SELECT id FROM orders WHERE id = 'refused'") == []
    await shop.app.server.process.stderr.match(
        "binding db/exec: INTERNAL: error invoking output binding db: "
    )


async def test_a_result_without_a_value_for_a_parameter(shop: Shop) -> None:
    """Nothing is asked of the database, and the caller learns which value is missing."""
    reply = await shop.app.sidecar.invoke(APP_ID, "order", b'{"id": "partial"}')

    assert (reply.status, json.loads(reply.body)["message"]) == (
        500,
        "function 'order': its result could not be sent on: {json:/customer}: the result has nothing there",
    )


async def test_an_event_that_comes_twice(shop: Shop) -> None:
    """A row under the event's id is there once, however often the event is delivered."""
    data = {**dict.fromkeys(COLUMNS.values()), "customer": "Bob"}
    event = {
        "specversion": "1.0",
        "id": "event-1",
        "source": "test",
        "type": "order",
        "datacontenttype": "application/json",
        "data": data,
    }
    headers = {"content-type": "application/cloudevents+json"}
    for _ in range(2):
        reply = await shop.app.sidecar.request(
            "POST", f"/v1.0/publish/{PUBSUB}/orders", json.dumps(event).encode(), headers=headers
        )
        assert reply.status == 204, reply
    await shop.app.broker.settled("orders", APP_ID)

    row = await shop.row("event-1")
    assert (row["customer"], row["tries"]) == ("Bob", 2)


async def test_a_function_that_asks_itself(shop: Shop) -> None:
    """It changes rows and reads them, each value of theirs in JSON; what it asks for is a parameter too."""
    name = "O'Neill\"; --"

    changed = await shop.ask(
        "exec", "INSERT INTO orders (id, customer, total) VALUES ($1, $2, $3)", "clerk", name, "9.50"
    )
    found = await shop.ask("query", "SELECT id, total, is_paid FROM orders WHERE customer = $1", name)
    other = await shop.ask("query", "SELECT id FROM orders WHERE customer = $1", "' OR true; --")

    assert json.loads(changed.body)["metadata"]["rows-affected"] == "1"
    assert rows_in(found) == [["clerk", 9.5, None]]
    assert rows_in(other) == []


async def test_a_function_that_may_only_ask(shop: Shop) -> None:
    """A grant of `query` is none of `exec`."""
    denied = await shop.ask("exec", "DELETE FROM orders", function="reader")

    assert denied.status == 403
    assert "bindings 'db/exec' is not granted" in json.loads(denied.body)["message"]
    assert await shop.database.rows("SELECT id FROM orders") != []


async def test_what_the_page_shows(shop: Shop) -> None:
    """The trigger of docs/database.md stores a message's data, and its request finds them."""
    await shop.database.run("CREATE TABLE reports (id text PRIMARY KEY, op_type text, report jsonb)")
    (request,) = re.findall(r"^```json\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    report = {"op_type": "grayscale", "input_size": 1}
    sent = [{**report, "op_type": "classify"}, report]

    for each in sent:
        reply = await shop.app.sidecar.request(
            "POST",
            f"/v1.0/publish/{PUBSUB}/reports",
            json.dumps(each).encode(),
            headers={"content-type": "application/json"},
        )
        assert reply.status == 204, reply
    await shop.app.broker.settled("reports", APP_ID)
    ((_, found),) = rows_in(await shop.app.call("clerk", "InvokeBinding", json.loads(request)))

    assert found == report
    stored = await shop.database.rows("SELECT report FROM reports ORDER BY op_type")
    assert [row["report"] for row in stored] == sent


async def test_a_database_that_is_down(shop: Shop) -> None:
    """The call fails, without a word about where the database is; once it is back, the next call succeeds."""
    shop.database.process.signal(signal.SIGINT)  # a shutdown that waits for no client
    await shop.database.process.wait(timeout_s=10)

    stored = await shop.order(id="down")
    asked = await shop.ask("query", "SELECT 1")

    for reply in (stored, asked):
        assert reply.status == 500, reply
        assert not {"127.0.0.1", str(shop.database.port), "postgres"} & set(
            re.findall(r"[\w.]+", reply.body.decode())
        )
    async with postgres(port=shop.database.port):
        assert rows_in(await shop.ask("query", "SELECT 1")) == [[1]]


async def test_what_grayscale_reports(cache_environment: dict[str, str], tmp_path: Path) -> None:
    """A function of the demo reports to the page's app as it stands, and the report is a row."""
    functions = tmp_path / "functions"
    for name in ("grayscale", "echo"):
        shutil.copytree(FUNCTIONS / name, functions / name, ignore=shutil.ignore_patterns("target"))
    (manifest,) = re.findall(r'^```toml\n(name = "report".*?)^```$', PAGE, re.MULTILINE | re.DOTALL)
    (functions / "echo" / "function.toml").write_text(manifest.replace("report.wasm", "echo.wasm"))
    (functions / "echo").rename(functions / "report")
    picture = encoded(sample(), "JPEG")

    async with postgres() as database:
        components = {DATABASE: ("bindings.postgresql", {"connectionString": database.connection})}
        async with run_dapr_app(
            functions, tmp_path, env=cache_environment, components=components, app_id="events-service"
        ) as app:
            made = await app.sidecar.invoke("events-service", "init")
            grey = await app.sidecar.invoke("events-service", "grayscale", picture)
            rows = await database.rows("SELECT op_type, input_size, output_size FROM events")

    assert (made.status, grey.status) == (200, 200)
    assert rows == [{"op_type": "grayscale", "input_size": len(picture), "output_size": len(grey.body)}]


def rows_in(reply: Reply) -> Any:
    """Return the rows that the binding has answered with."""
    assert reply.status == 200, reply
    return json.loads(base64.b64decode(json.loads(reply.body)["data"]))
