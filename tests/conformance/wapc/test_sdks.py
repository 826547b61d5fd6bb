"""Guests of the public SDKs, whose own code is unchanged, and one by hand do the same on every engine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from conformance.wapc.calls import GUEST, FakeDapr, call, load
from wasm_grpc.core.model import MIB, Limits, Outcome, Reason
from wasm_grpc.engines.protocol import Engine, Prepared
from wasm_grpc.guests.protocol import ReadyGuest

__all__ = []

FOLDER = Path(__file__).parent / "guests"
LANGUAGES = ("assemblyscript", "c", "go", "rust")
LIMITS = Limits()
BODY = bytes(range(256)) * 300


@pytest.fixture(scope="module", params=LANGUAGES)
def language(request: pytest.FixtureRequest) -> str:
    """The language of a guest."""
    return str(request.param)


@pytest.fixture(scope="module")
def prepared(engine: Engine, language: str) -> Prepared:
    """The guest of one language, compiled once for each engine."""
    return load(engine, (FOLDER / language / "guest.wasm").read_bytes(), LIMITS)


@pytest.fixture(params=[1, 3], ids=["fresh", "warm"])
def ready(prepared: Prepared, request: pytest.FixtureRequest) -> ReadyGuest:
    """An instance that has not run, and one that has."""
    ready = GUEST.ready(prepared, LIMITS, max_invocations=request.param)
    if request.param > 1:
        _run(ready, "echo")
    return ready


def _run(ready: ReadyGuest, operation: str, payload: bytes = b"") -> Outcome:
    return ready.run(call(operation, payload, dapr=FakeDapr(), limits=LIMITS)).outcome


@pytest.mark.parametrize("payload", [BODY, b""], ids=["body", "nothing"])
def test_it_echoes(ready: ReadyGuest, payload: bytes) -> None:
    """The payload comes back, byte for byte."""
    outcome = _run(ready, "echo", payload)

    assert (outcome.reason, outcome.body, outcome.stderr) == (Reason.OK, payload, b"")


def test_it_fails(ready: ReadyGuest) -> None:
    """Its error is told."""
    outcome = _run(ready, "fail")

    assert (outcome.reason, outcome.message) == (Reason.EXITED, "guest failed: told to fail")


def test_it_knows_its_operations(ready: ReadyGuest) -> None:
    """An operation that it doesn't have is its own failure."""
    outcome = _run(ready, "other")

    assert (outcome.reason, outcome.message[:14]) == (Reason.EXITED, "guest failed: ")


def test_it_calls_the_host(ready: ReadyGuest) -> None:
    """It gets the host's response."""
    outcome = _run(ready, "ask", b"{}")

    assert (outcome.reason, outcome.body) == (Reason.OK, b"GetState json {}")


def test_it_gets_the_hosts_error(ready: ReadyGuest) -> None:
    """Its SDK makes an error of it, with a prefix or without."""
    outcome = _run(ready, "ask")

    assert outcome.message.startswith("guest failed: ")
    assert outcome.message.endswith("NOT_FOUND: no such thing")


def test_it_traps_after_an_error(ready: ReadyGuest) -> None:
    """The error is told, and the instance is not used again."""
    outcome = _run(ready, "trap")

    assert outcome.reason is Reason.EXITED
    assert outcome.message.startswith("guest failed: told to trap")
    assert ready.is_spent


def test_it_logs(ready: ReadyGuest, language: str) -> None:
    """What it logs and prints is its log, and no part of the response."""
    outcome = _run(ready, "log", b"line\n")

    # AssemblyScript has no standard streams without a shim for WASI.
    expected = b"line\n\n" + (b"" if language == "assemblyscript" else b"line\n" * 2)
    assert (outcome.reason, outcome.body, outcome.stderr) == (Reason.OK, b"", expected)


def test_it_stays_warm(prepared: Prepared) -> None:
    """An instance answers a hundred invocations, each with its own payload, and its memory stays bounded."""
    ready = GUEST.ready(prepared, LIMITS, max_invocations=100)
    outcomes = []
    for _ in range(100):
        payload = os.urandom(1000)
        outcome = _run(ready, "echo", payload)
        assert outcome.body == payload
        outcomes.append(outcome)

    assert ready.is_spent
    assert outcomes[-1].memory_bytes - outcomes[0].memory_bytes < 4 * MIB
