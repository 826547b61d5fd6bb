"""Guests that lie: about memory, about their results, or by handing them over at the wrong time."""

from __future__ import annotations

import struct

import pytest

from conformance.bindgen.calls import GUEST, LIMITS, load, run, seen
from conformance.engines.table import assemble
from conformance.wapc.calls import FakeDapr
from wasm_grpc.core.model import KIB, MIB, Limits, Reason, ResultKind
from wasm_grpc.engines.protocol import Engine
from wasm_grpc.guests.protocol import ReadyGuest

__all__ = []

OK, EXITED, TRAPPED, BAD = Reason.OK, Reason.EXITED, Reason.TRAPPED, Reason.BAD_RESPONSE
RAW, BYTES, TEXT, VALUE, JSON = ResultKind
RECORD_AT, TRIPLES_AT, VALUES_AT = 64, 128, 1024
MEMORY = 4 * 64 * KIB

U8, I32, F32, BOOL, CHAR, U8S, I8S, U16S, STRING = 1, 6, 9, 11, 12, 21, 22, 23, 31

GUEST_TEXT = """(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (import "wapc" "__host_call"
    (func $host_call (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wapc" "__host_response_len" (func $response_length (result i32)))
  (import "wapc" "__host_response" (func $response (param i32)))
  {imports}
  (memory (export "memory") 4)
  (global $next (mut i32) (i32.const 65536))
  (global $calls (mut i32) (i32.const 0))
  (data (i32.const 0) "daprjsonGetState{{}}")
  {data}
  {allocate}
  {deallocate}
  {more})"""

ALLOCATE = """(func $allocate (export "allocate") (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (global.get $next))
    (global.set $next (i32.and (i32.add (i32.add (local.get $at) (local.get $size)) (i32.const 7)) (i32.const -8)))
    (local.get $at))"""
DEALLOCATE = '(func (export "deallocate") (param i32 i32))'
RETURNS = """(import "wasmedge-bindgen" "return_result" (func $result (param i32 i32)))
  (import "wasmedge-bindgen" "return_error" (func $error (param i32 i32)))"""


def module(
    *,
    imports: str = "",
    data: dict[int, bytes] | None = None,
    allocate: str = ALLOCATE,
    deallocate: str = DEALLOCATE,
    more: str = "",
) -> bytes:
    """Return a guest with these parts."""
    segments = "".join(
        f'(data (i32.const {at}) "{"".join(f"{chr(92)}{byte:02x}" for byte in content)}")'
        for at, content in (data or {}).items()
    )
    return assemble(
        GUEST_TEXT.format(imports=imports, data=segments, allocate=allocate, deallocate=deallocate, more=more)
    )


def function(body: str, *, results: str = "(result i32)", name: str = "f") -> str:
    """Return an exported function with this body."""
    return f'(func (export "{name}") (param $table i32) (param $count i32) {results} {body})'


def ready_of(engine: Engine, wasm: bytes, *, max_invocations: int = 1, limits: Limits = LIMITS) -> ReadyGuest:
    """Return an instance of a guest."""
    return GUEST.ready(load(engine, wasm, limits), limits, max_invocations=max_invocations)


def triples(*results: tuple[int, int, int]) -> bytes:
    """Return results as address, type and size."""
    return b"".join(struct.pack("<III", *each) for each in results)


def record(count: int = 1, at: int = TRIPLES_AT, kind: int = 0) -> bytes:
    """Return what a function of 0.4 returns the address of."""
    return struct.pack("<BII", kind, at, count)


def one(code: int, size: int, *, value: bytes = b"", at: int = VALUES_AT) -> dict[int, bytes]:
    """Return the memory of a function that returns one result."""
    values = {VALUES_AT: value} if value else {}
    return {RECORD_AT: record(), TRIPLES_AT: triples((at, code, size)), **values}


BEYOND = f"expected them within {MEMORY}"

RECORDS: dict[str, tuple[dict[int, bytes], tuple[Reason, bytes | str, ResultKind]]] = {
    "no results": ({RECORD_AT: record(0, at=0xFFFFFFFF)}, (OK, b"", RAW)),
    "another kind of record": (
        {RECORD_AT: record(kind=7)},
        (BAD, "its result: record of kind 7; expected 0 or 1", RAW),
    ),
    "triples outside memory": (
        {RECORD_AT: record(2, at=MEMORY - 12)},
        (TRAPPED, f"out of bounds memory access in f: 24 bytes at {MEMORY - 12}; {BEYOND}", RAW),
    ),
    "a million results": (
        {RECORD_AT: record(1_000_000)},
        (BAD, "its result: 1000000 results; expected at most 256", RAW),
    ),
    "as many results as a number holds": (
        {RECORD_AT: record(0xFFFFFFFF)},
        (BAD, "its result: 4294967295 results; expected at most 256", RAW),
    ),
    "a result outside memory": (
        one(STRING, 4, at=MEMORY - 3),
        (TRAPPED, f"out of bounds memory access in f: 4 bytes at {MEMORY - 3}; {BEYOND}", RAW),
    ),
    "a result that wraps": (
        one(STRING, 0xFFFFFFFF),
        (TRAPPED, f"out of bounds memory access in f: 4294967295 bytes at 1024; {BEYOND}", RAW),
    ),
    "an empty result outside memory": (one(STRING, 0, at=0xFFFFFFFF), (OK, b"", TEXT)),
    "an unknown type": (
        one(29, 4),
        (BAD, "its result: result 1 has type 29; expected a type of wasmedge-bindgen", RAW),
    ),
    "a number of the wrong size": (
        one(I32, 8),
        (BAD, "its result: result 1 has type i32 and 8 bytes; expected 4", RAW),
    ),
    "an array of the wrong size": (
        one(U16S, 3),
        (BAD, "its result: result 1 has type u16[] and 3 bytes; expected a multiple of 2", RAW),
    ),
    "a bool of 2": (one(BOOL, 1, value=b"\2"), (BAD, "its result: bool of value 2; expected 0 or 1", RAW)),
    "a surrogate": (
        one(CHAR, 4, value=b"\0\xd8\0\0"),
        (BAD, "its result: char of value 0xd800; expected a Unicode scalar value", RAW),
    ),
    "a character beyond Unicode": (
        one(CHAR, 4, value=b"\0\0\x11\0"),
        (BAD, "its result: char of value 0x110000; expected a Unicode scalar value", RAW),
    ),
    "a text that is none": (one(STRING, 2, value=b"\xff\xfe"), (OK, b"\xff\xfe", TEXT)),
    "a text that is none among others": (
        {
            RECORD_AT: record(2),
            TRIPLES_AT: triples((VALUES_AT, STRING, 3), (VALUES_AT, U8, 1)),
            VALUES_AT: b"\xffa\xc3",
        },
        (OK, '["\N{REPLACEMENT CHARACTER}a\N{REPLACEMENT CHARACTER}",255]'.encode(), JSON),
    ),
    "no number among others": (
        {
            RECORD_AT: record(3),
            TRIPLES_AT: triples((VALUES_AT, F32, 4), (VALUES_AT + 4, F32, 4), (VALUES_AT + 8, CHAR, 4)),
            VALUES_AT: struct.pack("<ffI", float("nan"), float("-inf"), ord('"')),
        },
        (OK, b'[null,null,"\\""]', JSON),
    ),
    "results that overlap": (
        {
            RECORD_AT: record(3),
            TRIPLES_AT: triples(*[(TRIPLES_AT, U8S, 2), (TRIPLES_AT, U16S, 2), (TRIPLES_AT + 1, BOOL, 1)]),
        },
        (OK, b"[[128,0],[128],false]", JSON),
    ),
    "a result over the limit": (
        one(U8S, 64 * KIB + 1),
        (Reason.OUTPUT_LIMIT, "guest returned a result of over 65536 bytes; expected at most 65536", RAW),
    ),
    "numbers over the limit as text": (
        one(I8S, 64 * KIB),
        (Reason.OUTPUT_LIMIT, "guest returned a result of over 65536 bytes; expected at most 65536", RAW),
    ),
    "a text over the limit as JSON": (
        {RECORD_AT: record(2), TRIPLES_AT: triples((VALUES_AT, STRING, 60000), (VALUES_AT, U8, 1))},
        (Reason.OUTPUT_LIMIT, "guest returned a result of over 65536 bytes; expected at most 65536", RAW),
    ),
    "many large results": (
        {RECORD_AT: record(256), TRIPLES_AT: triples(*[(0, U8S, 32000)] * 256)},
        (Reason.OUTPUT_LIMIT, "guest returned a result of over 65536 bytes; expected at most 65536", RAW),
    ),
    "an error outside memory": (
        {RECORD_AT: record(4, at=MEMORY - 3, kind=1)},
        (TRAPPED, f"out of bounds memory access in f: 4 bytes at {MEMORY - 3}; {BEYOND}", RAW),
    ),
    "an error that is no text": (
        {RECORD_AT: record(3, at=VALUES_AT, kind=1), VALUES_AT: b"a\xff\n"},
        (EXITED, "guest failed: a\N{REPLACEMENT CHARACTER}", RAW),
    ),
}
"""The memory of a function of 0.4, and what its caller sees."""


@pytest.mark.parametrize("name", RECORDS)
def test_a_record(engine: Engine, name: str) -> None:
    """Every result is checked against memory, its type and the limits before anything is copied."""
    data, expected = RECORDS[name]

    outcome = run(ready_of(engine, module(data=data, more=function(f"(i32.const {RECORD_AT})"))), "f")

    assert seen(outcome) == expected


def test_a_record_outside_memory(engine: Engine) -> None:
    """It ends the guest as an access would."""
    outcome = run(ready_of(engine, module(more=function("(i32.const -1)"))), "f")

    assert seen(outcome) == (
        TRAPPED,
        f"out of bounds memory access in f: 9 bytes at 4294967295; {BEYOND}",
        RAW,
    )


def test_an_error_as_long_as_memory(engine: Engine) -> None:
    """Only its beginning is copied."""
    data = {RECORD_AT: record(MEMORY - VALUES_AT, at=VALUES_AT, kind=1), VALUES_AT: b"x" * 4000}

    outcome = run(ready_of(engine, module(data=data, more=function(f"(i32.const {RECORD_AT})"))), "f")

    assert seen(outcome) == (EXITED, f"guest failed: {'x' * 2048}", RAW)


HANDED_OVER: dict[str, tuple[str, tuple[Reason, bytes | str, ResultKind]]] = {
    "never": ("(nop)", (EXITED, "guest failed: it returned without a result", RAW)),
    "twice": (
        "(call $result (i32.const 128) (i32.const 1)) (call $result (i32.const 140) (i32.const 1))",
        (OK, b"second", TEXT),
    ),
    "a result, then an error": (
        "(call $result (i32.const 128) (i32.const 1)) (call $error (i32.const 1024) (i32.const 5))",
        (EXITED, "guest failed: first", RAW),
    ),
    "an error, then a result": (
        "(call $error (i32.const 1024) (i32.const 5)) (call $result (i32.const 128) (i32.const 1))",
        (OK, b"first", TEXT),
    ),
    "an error, then a trap": (
        "(call $error (i32.const 1024) (i32.const 5)) (unreachable)",
        (EXITED, "guest failed: first", RAW),
    ),
    "an exit": ("(call $exit (i32.const 3))", (EXITED, "exit code 3", RAW)),
    "an exit of 0": (
        "(call $exit (i32.const 0))",
        (EXITED, "guest failed: it exited in the middle of a call (exit code 0)", RAW),
    ),
    "an exit that rejects the input": (
        "(call $exit (i32.const 65))",
        (Reason.REJECTED, "guest rejected its input (exit code 65)", RAW),
    ),
    "a text, as 0.1.11 does": (
        "(call $result (i32.const 1024) (i32.const 11))",
        (OK, b"firstsecond", RAW),
    ),
    "an unaligned text": ("(call $result (i32.const 601) (i32.const 1))", (OK, b"\0", RAW)),
    "an error, then a result, then an exit": (
        "(call $error (i32.const 1024) (i32.const 5)) (call $result (i32.const 128) (i32.const 1))"
        " (call $exit (i32.const 3))",
        (EXITED, "exit code 3", RAW),
    ),
    "nothing": ("(call $result (i32.const 1024) (i32.const 0))", (OK, b"", RAW)),
    "outside memory": (
        "(call $result (i32.const -1) (i32.const 2))",
        (
            TRAPPED,
            f"out of bounds memory access in wasmedge-bindgen.return_result: 2 bytes at 4294967295; {BEYOND}",
            RAW,
        ),
    ),
    "an error outside memory": (
        "(call $error (i32.const 0) (i32.const -1))",
        (
            TRAPPED,
            f"out of bounds memory access in wasmedge-bindgen.return_error: 4294967295 bytes at 0; {BEYOND}",
            RAW,
        ),
    ),
    "a million results": (
        "(call $result (i32.const 128) (i32.const 100000))",
        (Reason.OUTPUT_LIMIT, "guest returned a result of over 65536 bytes; expected at most 65536", RAW),
    ),
    "a bool of 102": (
        "(call $result (i32.const 152) (i32.const 1))",
        (BAD, "its result: bool of value 102; expected 0 or 1", RAW),
    ),
}
"""What a function of 0.1.11 to 0.1.14 does, and what its caller sees."""


@pytest.mark.parametrize("name", HANDED_OVER)
def test_handed_over(engine: Engine, name: str) -> None:
    """The last call counts, and a function that makes none has failed."""
    body, expected = HANDED_OVER[name]
    data = {
        TRIPLES_AT: triples((1024, STRING, 5), (1029, STRING, 6), (1024, BOOL, 1)),
        601: triples((1024, STRING, 5)),
        VALUES_AT: b"firstsecond",
    }
    wasm = module(imports=RETURNS, data=data, more=function(body, results=""))

    assert seen(run(ready_of(engine, wasm), "f")) == expected


def test_a_result_of_another_time(engine: Engine) -> None:
    """What a guest hands over while it initialises or allocates is not the result of its function."""
    wasm = module(
        imports=RETURNS,
        data={VALUES_AT: b"early"},
        allocate='(func (export "allocate") (param i32) (result i32)'
        " (call $result (i32.const 1024) (i32.const 5)) (i32.const 65536))",
        deallocate='(func (export "deallocate") (param i32 i32) (call $result (i32.const 1024) (i32.const 5)))',
        more=function("(nop)", results="")
        + '(func (export "_initialize") (call $error (i32.const 1024) (i32.const 5)))',
    )
    ready = ready_of(engine, wasm, max_invocations=3)

    outcomes = [run(ready, "f", b"x") for _ in range(2)]

    assert [seen(each) for each in outcomes] == [
        (EXITED, "guest failed: it returned without a result", RAW)
    ] * 2


ALLOCATORS: dict[str, tuple[str, tuple[Reason, bytes | str, ResultKind]]] = {
    "without memory": (
        "(i32.const 0)",
        (Reason.OUT_OF_MEMORY, "guest has no memory for 4 bytes", RAW),
    ),
    "outside memory": (
        "(i32.const -4)",
        (TRAPPED, f"out of bounds memory access in allocate: 4 bytes at 4294967292; {BEYOND}", RAW),
    ),
    "at the end of memory": (
        f"(i32.const {MEMORY - 3})",
        (TRAPPED, f"out of bounds memory access in allocate: 4 bytes at {MEMORY - 3}; {BEYOND}", RAW),
    ),
    "always the same": ("(i32.const 65536)", (OK, struct.pack("<II", 65536, 4), BYTES)),
    "over its own result": (f"(i32.const {TRIPLES_AT})", (OK, struct.pack("<II", TRIPLES_AT, 4), BYTES)),
    "a trap": ("(unreachable)", (TRAPPED, "unreachable", RAW)),
    "an exit": ("(call $exit (i32.const 3)) (i32.const 0)", (EXITED, "exit code 3", RAW)),
}
"""What `allocate` does, and what the caller of a function sees that returns its table of arguments."""


@pytest.mark.parametrize("name", ALLOCATORS)
def test_an_allocator(engine: Engine, name: str) -> None:
    """Whatever address it returns, the host writes inside the guest's memory alone."""
    body, (reason, expected, kind) = ALLOCATORS[name]
    wasm = module(
        data={RECORD_AT: record(at=96)},
        allocate=f'(func (export "allocate") (param i32) (result i32) {body})',
        more=function(
            "(i32.store (i32.const 96) (local.get $table)) (i32.store (i32.const 100) (i32.const 21))"
            f"(i32.store (i32.const 104) (i32.const 8)) (i32.const {RECORD_AT})"
        ),
    )

    outcome = run(ready_of(engine, wasm), "f", b"body")

    assert (outcome.reason, outcome.result_kind) == (reason, kind)
    if isinstance(expected, str):
        assert outcome.message.startswith(expected)
    else:
        assert outcome.body == expected


def test_a_trap_while_memory_is_freed(engine: Engine) -> None:
    """The caller has its answer already. Only the instance is lost."""
    wasm = module(
        data=one(STRING, 2, at=65600) | {65600: b"ok"},
        deallocate='(func (export "deallocate") (param i32 i32) (unreachable))',
        more=function(f"(i32.const {RECORD_AT})"),
    )
    ready = ready_of(engine, wasm, max_invocations=3)

    assert seen(run(ready, "f", b"x")) == (OK, b"ok", TEXT)
    assert ready.is_spent


def test_memory_of_the_guest_alone_is_freed(engine: Engine) -> None:
    """A result below all that `allocate` has returned is on the stack or static, and is left alone."""
    wasm = module(
        data={**one(STRING, 2, value=b"ok"), 2048: record(1, at=2060), 2060: triples((65600, STRING, 3))},
        deallocate='(func (export "deallocate") (param i32 i32)'
        " (global.set $calls (i32.add (global.get $calls) (i32.const 1))))",
        more=function(f"(i32.const {RECORD_AT})")
        + function("(i32.const 2048)", name="heap")
        + function(
            "(i32.store8 (i32.const 1024) (i32.add (global.get $calls) (i32.const 48)))"
            f"(i32.store (i32.const {TRIPLES_AT + 8}) (i32.const 1)) (i32.const {RECORD_AT})",
            name="freed",
        ),
    )
    ready = ready_of(engine, wasm, max_invocations=5)

    bodies = [run(ready, name, b"x").body for name in ("f", "heap", "freed")]

    # The result of `heap`.
    assert bodies == [b"ok", bytes(3), b"1"]


INITIALISERS = {
    "reactor": ('(func (export "_initialize") (call $count))', b"1"),
    "command": ('(func (export "_start") (call $count))', b"1"),
    "both": ('(func (export "_initialize") (call $count)) (func (export "_start") (unreachable))', b"1"),
    "start function": ("(start $count)", b"1"),
    "none": ("", b"0"),
    "of another type": ('(func (export "_start") (param i32) (unreachable))', b"0"),
}


@pytest.mark.parametrize("name", INITIALISERS)
def test_it_is_initialised_once(engine: Engine, name: str) -> None:
    """Before its first function, as a reactor or, if it is none, as a command."""
    initialiser, expected = INITIALISERS[name]
    wasm = module(
        data=one(STRING, 1, value=b"?"),
        more="(func $count (global.set $calls (i32.add (global.get $calls) (i32.const 1))))"
        + function(
            "(i32.store8 (i32.const 1024) (i32.add (global.get $calls) (i32.const 48)))"
            f"(i32.const {RECORD_AT})"
        )
        + initialiser,
    )
    ready = ready_of(engine, wasm, max_invocations=3)

    assert [run(ready, "f", b"x").body for _ in range(3)] == [expected] * 3


def test_an_initialiser_that_fails(engine: Engine) -> None:
    """It belongs to the first invocation, which fails."""
    wasm = module(more=function("(i32.const 0)") + '(func (export "_initialize") (unreachable))')
    ready = ready_of(engine, wasm, max_invocations=3)

    outcome = run(ready, "f")

    assert (outcome.reason, outcome.message[:11]) == (TRAPPED, "unreachable")
    assert ready.is_spent


def test_a_call_to_dapr(engine: Engine) -> None:
    """The host modules of every guest are there: it calls Dapr, and returns the response."""
    wasm = module(
        data=one(STRING, 18),
        more=function(
            "(drop (call $host_call (i32.const 0) (i32.const 4) (i32.const 4) (i32.const 4)"
            " (i32.const 8) (i32.const 8) (i32.const 16) (i32.const 2)))"
            f"(call $response (i32.const {VALUES_AT}))"
            f"(i32.store (i32.const {TRIPLES_AT + 8}) (call $response_length))"
            f"(i32.const {RECORD_AT})"
        ),
    )
    ready = ready_of(engine, wasm, max_invocations=2)

    with_dapr = run(ready, "f", b"x", dapr=FakeDapr())
    without = run(ready, "f", b"x")

    assert seen(with_dapr) == (OK, b"GetState json {}", TEXT)
    assert without.body == b""


def test_arguments_that_fill_memory(engine: Engine) -> None:
    """Their sizes are those of the call, and the guest's allocator decides."""
    limits = Limits(memory_bytes=4 * MIB, body_bytes=4 * MIB, output_bytes=64 * KIB)
    wasm = module(more=function(f"(i32.const {RECORD_AT})"))

    outcome = run(ready_of(engine, wasm, limits=limits), "f", bytes(MEMORY), limits=limits)

    assert (outcome.reason, outcome.message.startswith("out of bounds memory access in allocate")) == (
        TRAPPED,
        True,
    )


def test_the_table_of_arguments(engine: Engine) -> None:
    """It stays where it is for the next call, and moves if there are more arguments than it has room for."""
    wasm = module(
        data=one(U8S, 4),
        more=function(f"(i32.store (i32.const {VALUES_AT}) (local.get $table)) (i32.const {RECORD_AT})"),
    )
    ready = ready_of(engine, wasm, max_invocations=5)

    places = [run(ready, "f", arguments).body for arguments in (["a"], ["b"], ["c", "i32:1", "d"], ["e"])]

    assert places[0] == places[1] != places[2] == places[3]
