"""Triggers of every kind, enumerated in one place."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter

from wasm_grpc.manifest.triggers import Trigger, Triggers

TABLES: dict[str, list[dict[str, object]]] = {
    "job": [{"name": "nightly"}],
    "binding": [{"name": "cron"}],
    "topic": [{"pubsub": "pubsub", "topic": "images"}],
    "invoke": [{"method": "a/*", "verbs": ["GET", "PUT"]}, {"method": "/b"}],
}


def test_each_trigger() -> None:
    """Every table is there, in the order of the manifest's definition, with what it is called and its key."""
    triggers = TypeAdapter(Triggers).validate_python(TABLES)

    found = [(kind, index, trigger.label, trigger.key) for kind, index, trigger in triggers.each()]

    assert found == [
        ("invoke", 0, "GET/PUT a/*", ("method", "a/*")),
        ("invoke", 1, "b", ("method", "b")),
        ("topic", 0, "pubsub/images", None),
        ("binding", 0, "cron", ("name", "cron")),
        ("job", 0, "nightly", ("name", "nightly")),
    ]


def test_a_trigger_without_a_label_or_key() -> None:
    """A kind that doesn't say them can't be made."""

    class Silent(Trigger):
        pass

    with pytest.raises(TypeError, match="abstract methods"):
        Silent()  # type: ignore[abstract]


@pytest.mark.parametrize(
    "keys",
    [
        {"schedule": "TZ=Europe/Paris @daily"},
        {"schedule": "CRON_TZ=UTC 0 30 3 * * *"},
        {"schedule": "@every 1.5s"},
        {"schedule": "@every 1h30m"},
        {"schedule": "0 */5 * * * MON-FRI"},
        {"schedule": "0 0 0 1 jan ?"},
        {"due_time": "10m"},
        {"due_time": "PT10M"},
        {"due_time": "2030-01-31T12:00:00.5+02:00"},
    ],
    ids=lambda keys: next(iter(keys.values())),
)
def test_when_a_job_runs(keys: dict[str, str]) -> None:
    """Every form that Dapr's scheduler accepts (seen with 1.18.2) but negative durations; lists show it."""
    triggers = TypeAdapter(Triggers).validate_python({"job": [{"name": "nightly", **keys}]})

    (when,) = keys.values()
    assert [(each.is_scheduled, each.label) for each in triggers.job] == [(True, f"nightly {when}")]
