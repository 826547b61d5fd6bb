"""`list`: what calls each function."""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path

from wasm_grpc.cli.listing import execute

MANIFEST = """\
name = "f"
module = "f.wasm"

[env]
LOG = "info"
DB_URL = { secret = "vault/DB_URL" }
DB_KEY = { secret = "vault/db", key = "key" }

[[trigger.invoke]]
method = "f"

[[trigger.invoke]]
method = "orders/*"
verbs = ["GET", "PUT"]

[[trigger.topic]]
pubsub = "pubsub"
topic = "images"
then = { publish = { pubsub = "pubsub", topic = "grey-{subject}" } }

[[trigger.binding]]
name = "cron"

[[trigger.binding.then]]
state = { store = "statestore", key = "ticks" }

[[trigger.binding.then]]
binding = { name = "mail", operation = "create" }

[[trigger.job]]
name = "nightly"
schedule = "@daily"
"""


def test_triggers_of_every_kind(tmp_path: Path) -> None:
    """Each is told by its kind, what it is called by, and every destination of its result."""
    (tmp_path / "function.toml").write_text(MANIFEST)
    (tmp_path / "f.wasm").touch()
    stdout = io.StringIO()

    execute(argparse.Namespace(folder=str(tmp_path), json=True), stdout, io.StringIO())

    assert json.loads(stdout.getvalue())[0]["triggers"] == [
        "invoke f",
        "invoke GET/PUT orders/*",
        "topic pubsub/images -> publish pubsub/grey-{subject}",
        "binding cron -> state statestore/ticks and binding mail/create",
        "job nightly @daily",
    ]


def test_secrets(tmp_path: Path) -> None:
    """Each is told by its name, in a column that is only there if a function has one."""
    (tmp_path / "function.toml").write_text(MANIFEST)
    (tmp_path / "f.wasm").touch()
    json_text, table = io.StringIO(), io.StringIO()

    execute(argparse.Namespace(folder=str(tmp_path), json=True), json_text, io.StringIO())
    execute(argparse.Namespace(folder=str(tmp_path), json=False), table, io.StringIO())

    assert json.loads(json_text.getvalue())[0]["secrets"] == {"DB_URL": "vault/DB_URL", "DB_KEY": "vault/db"}
    title, row = table.getvalue().splitlines()
    assert title.split()[-1] == "SECRETS"
    assert row.endswith("vault/DB_URL, vault/db")
