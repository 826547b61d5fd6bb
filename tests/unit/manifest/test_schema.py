"""The JSON schema, and what is asked of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from wasm_grpc.manifest.layout import Key, key_text
from wasm_grpc.manifest.schema import KeySchema, manifest_schema


def _properties(schema: object) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Return every property of every table of the schema."""
    if not isinstance(schema, Mapping):
        return
    for value in schema.values():
        yield from _properties(value)
    properties = schema.get("properties")
    if isinstance(properties, Mapping):
        yield from properties.items()


def test_every_key_is_described() -> None:
    """Each key of each table has a sentence that an editor shows and the reference is made of."""
    missing = [key for key, schema in _properties(manifest_schema()) if not schema.get("description")]

    assert missing == []


@pytest.mark.parametrize(
    ("table", "key", "default"),
    [
        ("LimitsTable", "timeout", "5s"),
        ("LimitsTable", "memory", "64MiB"),
        ("LimitsTable", "cpu", None),
        ("LimitsTable", "host_calls", 1000),
        ("Bulk", "max_await", "1s"),
        ("OutcomePolicy", "crash", "retry"),
        ("InvokeTrigger", "verbs", None),
        ("Capabilities", "nn", None),
    ],
)
def test_defaults_are_written_as_in_a_manifest(table: str, key: str, default: object) -> None:
    """A default is what an author would write: a duration or size with its unit, nothing for none."""
    tables = manifest_schema()["$defs"]
    assert isinstance(tables, dict)

    assert tables[table]["properties"][key].get("default") == default


@pytest.mark.parametrize(
    ("table", "keys"),
    [
        (
            ("limits",),
            (
                "timeout",
                "cpu",
                "queue_wait",
                "idle_timeout",
                "memory",
                "output",
                "body",
                "stderr",
                "scratch",
                "host_calls",
                "dapr_timeout",
            ),
        ),
        (("trigger", "invoke", 3), ("method", "verbs", "call", "then")),
        (("trigger", "topic", 0, "then", "publish"), ("pubsub", "topic")),
        (("trigger", "topic", 0, "then", 0, "publish"), ("pubsub", "topic")),
        (("trigger", "topic", 0, "then", 1), ("publish", "state", "binding")),
        (("trigger", "topic", 0, "then"), ("publish", "state", "binding")),
        (("capabilities", "nn", "models", "any"), ("path", "threads", "sha256")),
        (("env", "ANY"), ("secret", "key")),
        (("name",), ()),
        (("no", "such"), ()),
    ],
    ids=lambda value: key_text(value) if value and isinstance(value[0], str) else None,
)
def test_keys_of_a_table(table: Key, keys: tuple[str, ...]) -> None:
    """Keys are found through arrays, optional tables, unions and tables with free names."""
    assert sorted(KeySchema().keys_of(table)) == sorted(keys)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (("limits", "timeout"), "limits.timeout"),
        (("trigger", "invoke", 0, "method"), "trigger.invoke[0].method"),
        (("env", "a.b"), 'env."a.b"'),
        (("\n",), '"\\n"'),
        (("",), '""'),
    ],
)
def test_key_text(key: Key, text: str) -> None:
    """A key is written on one line, as TOML would write it."""
    assert key_text(key) == text
