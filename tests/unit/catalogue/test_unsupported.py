"""What a manifest may ask for that isn't served yet."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import TypeAdapter

from wasm_grpc.catalogue.function import Function
from wasm_grpc.catalogue.unsupported import unsupported_features
from wasm_grpc.manifest.tables import FunctionManifest

_STATE = {"state": {"store": "s", "key": "k"}}
_BINDING = {"binding": {"name": "b", "operation": "create"}}
_PUBLISH = {"publish": {"pubsub": "p", "topic": "u"}}
_CASES: list[tuple[dict[str, object], str]] = [
    ({"module": "https://x/f.wasm"}, "module: remote modules are|a file below the function's folder"),
]


def _function(more: dict[str, object]) -> Function:
    document = {"name": "f", "module": "f.wasm", "trigger": {"invoke": [{"method": "f"}]}} | more
    return Function(folder=Path("dir"), manifest=TypeAdapter(FunctionManifest).validate_python(document))


@pytest.mark.parametrize(("more", "line"), _CASES, ids=[str(more) for more, _ in _CASES])
def test_later_feature(more: dict[str, object], line: str) -> None:
    """Each key whose feature comes later is refused by name, with what to write instead."""
    what, instead = line.split("|")

    lines = unsupported_features(_function(more))

    assert lines == [f"dir/function.toml: {what} not served by this version yet; expected {instead}"]


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"limits": {"idle_timeout": "1s", "scratch": 1, "host_calls": 1, "timeout": "unlimited"}},
        {"capabilities": {"files": [{"host": "a", "guest": "/a"}]}},
        {"capabilities": {"nn": {"load": True, "models": {"m": {"path": "m"}}}, "dapr": {"state": []}}},
        {"response": "cgi", "env": {"A": "x", "B": {"secret": "s/k"}}},
        {"trigger": {"topic": [{"pubsub": "p", "topic": "t", "then": [_PUBLISH, _STATE]}]}},
        {"trigger": {"binding": [{"name": "b", "then": _BINDING}]}},
        {"trigger": {"job": [{"name": "j", "schedule": "@daily", "data": "x"}]}},
        {"outcome": {"crash": "drop"}, "pool": {"reuse": "fresh"}, "engine": "wasmer"},
        {"guest": "wapc", "pool": {"reuse": "warm", "max_invocations": 5}},
        {"guest": "wasmedge-bindgen", "pool": {"reuse": "warm", "max_invocations": 5}},
    ],
    ids=[
        "minimal",
        "limits",
        "files",
        "nothing granted",
        "cgi",
        "topic",
        "binding",
        "job",
        "outcome",
        "warm",
        "bindgen",
    ],
)
def test_harmless_keys_are_served(more: dict[str, object]) -> None:
    """A key that changes nothing until its feature comes is no reason to refuse."""
    assert unsupported_features(_function(more)) == []
