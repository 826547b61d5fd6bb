"""Functions that rustwasmc built with wasm-bindgen take and return bytes or a text, on every engine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from conformance.bindgen.calls import GUEST, load, run, seen
from conformance.engines.table import assemble
from wasm_grpc.core.model import KIB, Limits, Reason, ResultKind
from wasm_grpc.engines.protocol import Engine, Prepared

__all__ = []

WASM = Path(__file__).parent / "guests" / "rustwasmc.wasm"
LIMITS = Limits()
RAW = ResultKind.UNTOLD

# Where the argument lies, and where the result is said to lie.
GUEST_TEXT = """
(module
  (memory (export "memory") 1)
  (func (export "__wbindgen_malloc") (param i32) (result i32) (i32.const {argument}))
  (func (export "__wbindgen_free") (param i32 i32))
  (func (export "f") (param i32 i32 i32)
    (i32.store (local.get 0) (i32.const {result}))
    (i32.store offset=4 (local.get 0) (i32.const {length}))))
"""


@pytest.fixture(scope="module")
def prepared(engine: Engine) -> Prepared:
    """The guest, compiled once for each engine."""
    return load(engine, WASM.read_bytes(), LIMITS)


@pytest.mark.parametrize("max_invocations", [1, 1000], ids=["fresh", "warm"])
@pytest.mark.parametrize(
    ("function", "body", "result"),
    [
        ("reverse", b"abc", b"cba"),
        ("echo", b"", b""),
        ("shout", "h\N{LATIN SMALL LETTER E WITH ACUTE}llo".encode(), "HÉLLO".encode()),
        ("greet", b"Ada", b"hello, Ada"),
        ("greet", b"", b"hello, "),
    ],
)
def test_a_call(prepared: Prepared, max_invocations: int, function: str, body: bytes, result: bytes) -> None:
    """The body is the argument, owned or borrowed; the result comes back byte for byte."""
    ready = GUEST.ready(prepared, LIMITS, max_invocations=max_invocations)

    outcomes = [run(ready, function, body, limits=LIMITS) for _ in range(min(max_invocations, 3))]

    assert {seen(outcome) for outcome in outcomes} == {(Reason.OK, result, RAW)}


def test_a_large_body(prepared: Prepared) -> None:
    """A body of many pages passes both ways."""
    body = os.urandom(300 * KIB)

    outcome = run(GUEST.ready(prepared, LIMITS), "echo", body, limits=LIMITS)

    assert seen(outcome) == (Reason.OK, body, RAW)


def test_a_warm_instance_keeps_its_memory_bounded(prepared: Prepared) -> None:
    """Arguments and results are freed: 2,000 calls of 64 KiB need no more memory than a few."""
    ready = GUEST.ready(prepared, LIMITS, max_invocations=2003)
    body = bytes(64 * KIB)

    few = [run(ready, "echo", body, limits=LIMITS).memory_bytes for _ in range(3)]
    many = [run(ready, "echo", body, limits=LIMITS).memory_bytes for _ in range(2000)]

    assert many[-1] == few[-1]


def test_warm_and_fresh_instances(prepared: Prepared) -> None:
    """A warm instance counts its calls; a fresh one serves one call, and a failed one is replaced."""
    warm = GUEST.ready(prepared, LIMITS, max_invocations=2)
    counts = [run(warm, "count", limits=LIMITS).body for _ in range(2)]
    failed = GUEST.ready(prepared, LIMITS, max_invocations=2)
    failure = run(failed, "fail", b"x", limits=LIMITS)

    assert (counts, warm.is_spent) == ([b"1", b"2"], True)
    assert (failure.reason, failed.is_spent) == (Reason.TRAPPED, True)


@pytest.mark.parametrize(
    ("function", "argument", "message"),
    [
        ("add", b"", "guest failed: it exports no function 'add' that takes and returns bytes or a text"),
        ("none", b"", "guest failed: it exports no function 'none' that takes and returns bytes or a text"),
        ("shout", ["a", "b"], "guest failed: its function takes one argument, not 2"),
        (
            "shout",
            ["i32:1"],
            "guest failed: its function takes bytes or a text, not a number or an array",
        ),
    ],
)
def test_a_call_that_can_not_be(
    prepared: Prepared, function: str, argument: bytes | list[str], message: str
) -> None:
    """What a function takes is told before its code runs, and the instance stays."""
    ready = GUEST.ready(prepared, LIMITS, max_invocations=2)

    outcome = run(ready, function, argument, limits=LIMITS)

    assert (outcome.reason, outcome.message, ready.is_spent) == (Reason.EXITED, message, False)


def test_a_result_over_the_limit(prepared: Prepared) -> None:
    """It is refused by its length, and the limit is named."""
    limits = Limits(output_bytes=64 * KIB)

    outcome = run(GUEST.ready(prepared, limits), "zeros", b"65537", limits=limits)

    assert (outcome.reason, outcome.limit) == (Reason.OUTPUT_LIMIT, "limits.output")


@pytest.mark.parametrize(
    ("argument", "result", "length", "where"),
    [
        (65530, 16, 1, "10 bytes at 65530"),
        (-1, 16, 1, "10 bytes at 4294967295"),
        (16, 65536, 1, "1 bytes at 65536"),
        (16, -1, -1, "4294967295 bytes at 4294967295"),
    ],
    ids=["argument over the end", "argument at -1", "result outside", "result that wraps"],
)
def test_pointers_outside_memory(engine: Engine, argument: int, result: int, length: int, where: str) -> None:
    """They end the guest, with the region in the message."""
    text = GUEST_TEXT.format(argument=argument, result=result, length=length)
    prepared = load(engine, assemble(text), LIMITS)

    outcome = run(GUEST.ready(prepared, LIMITS), "f", b"0123456789", limits=LIMITS)

    assert outcome.reason is Reason.TRAPPED
    assert outcome.message == f"out of bounds memory access in f: {where}; expected them within 65536"


# It returns its argument, and `ignore`, which takes an argument of three numbers, returns nothing.
REMEMBERS = """
(module
  (memory (export "memory") 1)
  (func (export "__wbindgen_malloc") (param i32) (result i32) (i32.const 1024))
  (func (export "__wbindgen_free") (param i32 i32))
  (func (export "echo") (param i32 i32 i32)
    (i32.store (local.get 0) (local.get 1))
    (i32.store offset=4 (local.get 0) (local.get 2)))
  (func (export "ignore") (param i32 i32 i32)))
"""


def test_a_function_that_returns_nothing(engine: Engine) -> None:
    """A caller never gets the result of the one before it, which a warm instance still has in memory."""
    ready = GUEST.ready(load(engine, assemble(REMEMBERS), LIMITS), LIMITS, max_invocations=9)
    run(ready, "echo", b"secret of the first caller", limits=LIMITS)

    outcome = run(ready, "ignore", b"x", limits=LIMITS)

    assert (outcome.reason, outcome.message) == (Reason.EXITED, "guest failed: it returned without a result")
