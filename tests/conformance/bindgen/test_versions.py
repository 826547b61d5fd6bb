"""Guests of each published version of the macro take and return every type, and fail, on every engine."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest

from conformance.bindgen.calls import GUEST, load, run, seen
from conformance.wapc.calls import FakeDapr
from wasm_grpc.core.model import KIB, Limits, Reason, ResultKind
from wasm_grpc.engines.binary import read_module
from wasm_grpc.engines.protocol import Engine, Prepared
from wasm_grpc.guests.bindgen.conventions import Convention, find_convention, functions_of
from wasm_grpc.guests.protocol import ReadyGuest

__all__ = []

FOLDER = Path(__file__).parent / "guests"
LIMITS = Limits()
OK, EXITED, TRAPPED = Reason.OK, Reason.EXITED, Reason.TRAPPED
RAW, BYTES, TEXT, VALUE, JSON = ResultKind

ENV = ("0.1.0", "0.1.0-text", "0.1.7", "0.1.8")
IMPORTED = ("0.1.11", "0.1.12", "0.1.13", "0.1.14")
RECORD = ("0.4.0", "0.4.1")
VERSIONS = (*ENV[2:], *IMPORTED, *RECORD)
"""Those with several functions."""
RAW_VERSIONS = ("0.1.7", "0.1.8", "0.1.11")
"""Those that return bytes, whatever they are."""

SAME = ("0.1.7", "0.1.12")
"""Those whose macro does what the next version's does."""

NUMBERS = {
    "u8": ("0", "255"),
    "i8": ("-128", "127"),
    "u16": ("0", "65535"),
    "i16": ("-32768", "32767"),
    "u32": ("0", "4294967295"),
    "i32": ("-2147483648", "2147483647"),
    "u64": ("0", "18446744073709551615"),
    "i64": ("-9223372036854775808", "9223372036854775807"),
}
"""The least and the greatest number of each type."""

OTHERS = {
    "f32": ("0.1", "-1.5", "3.4028235e+38", "1e-45", "16777216.0"),
    "f64": ("0.1", "-1.5", "1.7976931348623157e+308", "5e-324"),
    "bool": ("true", "false"),
    "char": ("x", "€", "\N{GRINNING FACE}"),
}


@pytest.fixture(scope="module", params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    """The version of the macro that a guest was built with."""
    return str(request.param)


@pytest.fixture(scope="module")
def prepared(engine: Engine, version: str) -> Prepared:
    """The guest of one version, compiled once for each engine."""
    return load(engine, wasm_of(version), LIMITS)


@pytest.fixture(params=[1, 1000], ids=["fresh", "warm"])
def ready(prepared: Prepared, request: pytest.FixtureRequest) -> ReadyGuest:
    """An instance that has not run, and one that has."""
    ready = GUEST.ready(prepared, LIMITS, max_invocations=request.param)
    if request.param > 1:
        run(ready, "echo", b"before", limits=LIMITS)
    return ready


def wasm_of(version: str) -> bytes:
    """Return the guest of a version."""
    return (FOLDER / f"{version}.wasm").read_bytes()


def told(version: str, kind: ResultKind) -> ResultKind:
    """Return what a version tells of such a result."""
    return RAW if version in RAW_VERSIONS else kind


@pytest.mark.parametrize(
    ("convention", "versions"),
    [(Convention.ENV, ENV), (Convention.IMPORTED, IMPORTED), (Convention.RECORD, RECORD)],
    ids=lambda value: value.name if isinstance(value, Convention) else "",
)
def test_a_version_is_recognised(convention: Convention, versions: tuple[str, ...]) -> None:
    """The module shows how it hands over its results, and which exports are functions."""
    for version in versions:
        module = read_module(wasm_of(version))

        assert find_convention(module) is convention
        names = set(functions_of(module, convention))
        assert ("run_e" if version.startswith("0.1.0") else "echo") in names
        assert not names & {"allocate", "deallocate", "memory"}


@pytest.mark.parametrize(
    "body", [os.urandom(70 * KIB), b"x", b""], ids=["64 KiB and more", "byte", "nothing"]
)
def test_bytes(ready: ReadyGuest, version: str, body: bytes) -> None:
    """A body is the one argument of a function that takes bytes, and comes back byte for byte."""
    outcome = run(ready, "echo", body, limits=LIMITS)

    assert seen(outcome) == (OK, body, told(version, BYTES))


@pytest.mark.parametrize("text", ["h\N{LATIN SMALL LETTER E WITH ACUTE}llo\0x", ""], ids=["text", "nothing"])
def test_a_text(ready: ReadyGuest, version: str, text: str) -> None:
    """A body is also the one argument of a function that takes a text."""
    outcome = run(ready, "echo_text", text.encode(), limits=LIMITS)

    assert seen(outcome) == (OK, text.encode(), told(version, TEXT))


def test_a_body_that_is_no_text(ready: ReadyGuest) -> None:
    """A function that takes a text panics over it, as the macro makes it."""
    outcome = run(ready, "echo_text", b"\xff", limits=LIMITS)

    assert outcome.reason is TRAPPED
    assert b"invalid utf-8" in outcome.stderr.lower() or b"Utf8Error" in outcome.stderr
    assert ready.is_spent


@pytest.mark.parametrize(
    ("kind", "number"), [(kind, number) for kind, numbers in NUMBERS.items() for number in numbers]
)
def test_integers(ready: ReadyGuest, version: str, kind: str, number: str) -> None:
    """The least and the greatest number of each type come back as decimal text."""
    outcome = run(ready, f"same_{kind}", [f"{kind}:{number}"], limits=LIMITS)

    assert seen(outcome) == (OK, number.encode(), told(version, VALUE))


@pytest.mark.parametrize("kind", NUMBERS)
def test_arrays(prepared: Prepared, version: str, kind: str) -> None:
    """An array of u8 comes back as its bytes, and any other as JSON."""
    for numbers in (NUMBERS[kind], (), ("7",)):
        ready = GUEST.ready(prepared, LIMITS)
        expected = f"[{','.join(numbers)}]".encode()
        result = JSON
        if kind == "u8" and version not in RAW_VERSIONS:
            expected, result = bytes(map(int, numbers)), BYTES

        outcome = run(ready, f"same_{kind}s", [f"{kind}[]:{','.join(numbers)}"], limits=LIMITS)

        assert seen(outcome) == (OK, expected, told(version, result))


@pytest.mark.parametrize(
    ("kind", "value"), [(kind, value) for kind, values in OTHERS.items() for value in values]
)
def test_other_values(ready: ReadyGuest, version: str, kind: str, value: str) -> None:
    """A float comes back as the shortest decimal, a bool as a word, a char as itself."""
    outcome = run(ready, f"same_{kind}", [f"{kind}:{value}"], limits=LIMITS)

    if version in RAW_VERSIONS and kind in ("f32", "f64"):
        # The guest writes it, in Rust's form.
        assert (outcome.reason, float(outcome.body)) == (OK, float(value))
    else:
        # The macro 0.4.1 can't return the last two, so the guest returns a text.
        is_text = version == "0.4.1" and kind in ("bool", "char")
        assert seen(outcome) == (OK, value.encode(), told(version, TEXT if is_text else VALUE))


@pytest.mark.parametrize("value", ["NaN", "inf", "-inf"])
def test_no_number(ready: ReadyGuest, value: str) -> None:
    """A single float that is no number has a text too."""
    assert run(ready, "same_f64", [f"f64:{value}"], limits=LIMITS).body == value.encode()


def test_several_results(ready: ReadyGuest, version: str) -> None:
    """They are a JSON array, in their order."""
    if version in RAW_VERSIONS:
        assert run(ready, "two", ["a", "i32:-5"], limits=LIMITS).body == b"a -5"
        return

    outcome = run(ready, "several", ['h\N{LATIN SMALL LETTER E WITH ACUTE}"', "u16[]:1,65535"], limits=LIMITS)

    expected = '["hé\\"",[1,65535],[104,195,169,34],-9223372036854775808,0.5]'
    assert seen(outcome) == (OK, expected.encode(), JSON)


@pytest.mark.parametrize("function", ["nothing", "no_value"])
def test_no_result(ready: ReadyGuest, version: str, function: str) -> None:
    """The body is empty."""
    if version in RAW_VERSIONS:
        pytest.skip("this version returns bytes always")

    assert seen(run(ready, function, b"x", limits=LIMITS)) == (OK, b"", RAW)


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        ("fail", ["no\nsuch order"], "guest failed: no | such order"),
        ("fail", [""], "guest failed: it gave no reason"),
        ("fail_static", ["x"], "guest failed: told to fail"),
        ("two", ["x"], "guest failed: Invalid params count, expect 2, got 1"),
        ("no_argument", ["x"], "guest failed: Invalid params count, expect 0, got 1"),
        ("missing", ["x"], "guest failed: it exports no function 'missing' of wasmedge-bindgen"),
        ("allocate", ["x"], "guest failed: it exports no function 'allocate' of wasmedge-bindgen"),
        ("deallocate", ["x"], "guest failed: it exports no function 'deallocate' of wasmedge-bindgen"),
        ("memory", ["x"], "guest failed: it exports no function 'memory' of wasmedge-bindgen"),
    ],
)
def test_a_failure(ready: ReadyGuest, function: str, arguments: list[str], message: str) -> None:
    """An error result, a wrong number of arguments, and an export that is no function are the guest's failures."""
    outcome = run(ready, function, arguments, limits=LIMITS)

    assert (outcome.reason, outcome.message) == (EXITED, message)


def test_a_long_error(ready: ReadyGuest) -> None:
    """Only its beginning is kept."""
    outcome = run(ready, "fail_long", ["u32:10000000"], limits=LIMITS)

    assert (outcome.reason, outcome.message) == (EXITED, f"guest failed: {'x' * 2048}")


def test_a_panic(ready: ReadyGuest) -> None:
    """It traps, its text is in the log, and the instance is not used again."""
    outcome = run(ready, "panic", b"over the edge", limits=LIMITS)

    assert (outcome.reason, outcome.message.startswith("unreachable")) == (TRAPPED, True)
    assert b"panicked at 'over the edge'" in outcome.stderr
    assert ready.is_spent


def test_what_it_prints_is_its_log(ready: ReadyGuest, version: str) -> None:
    """Standard output and error are the log, and the environment is that of the call."""
    outcome = run(ready, "print", b"line\n", env="GREETING=hi", limits=LIMITS)

    assert seen(outcome) == (OK, b"hi", told(version, TEXT))
    assert outcome.stderr == b"out line\nerr line\n"


def test_an_empty_body_for_no_argument(ready: ReadyGuest, version: str) -> None:
    """A function without arguments can be called by a trigger that has no data."""
    outcome = run(ready, "no_argument", b"", limits=LIMITS)

    assert seen(outcome) == (OK, b"no argument", told(version, TEXT))


def test_too_long_a_result(ready: ReadyGuest) -> None:
    """It ends the guest, whoever reads it."""
    outcome = run(ready, "long", ["u32:1000"], limits=Limits(output_bytes=999))

    assert (outcome.reason, outcome.limit) == (Reason.OUTPUT_LIMIT, "limits.output")


def test_no_memory_for_the_argument(engine: Engine, version: str) -> None:
    """The guest aborts, and that is told as what it is."""
    limits = Limits(memory_bytes=2 * 1024 * KIB)
    ready = GUEST.ready(load(engine, wasm_of(version), limits), limits)

    outcome = run(ready, "echo", bytes(3 * 1024 * KIB), limits=limits)

    assert (outcome.reason, outcome.limit) == (Reason.OUT_OF_MEMORY, "limits.memory")


def test_a_warm_instance_counts(prepared: Prepared) -> None:
    """It keeps its memory between calls, also after an error, and retires after so many."""
    ready = GUEST.ready(prepared, LIMITS, max_invocations=4)
    bodies = [run(ready, "calls", limits=LIMITS).body for _ in range(2)]
    run(ready, "fail", b"x", limits=LIMITS)
    bodies.append(run(ready, "calls", limits=LIMITS).body)

    assert bodies == [b"1", b"2", b"3"]
    assert ready.is_spent


def test_a_wrong_number_of_arguments_retires_an_instance(prepared: Prepared) -> None:
    """The function has not taken its arguments, so nobody frees them."""
    ready = GUEST.ready(prepared, LIMITS, max_invocations=4)

    run(ready, "two", b"x", limits=LIMITS)

    assert ready.is_spent


@pytest.mark.parametrize(
    ("function", "argument"),
    [
        ("echo", b"x" * 1000),
        ("echo", b""),
        ("echo_text", b"text"),
        ("no_argument", b""),
        ("fail", b"no"),
        ("fail", b""),
        ("fail_static", b"no"),
        ("nothing", b"abc"),
        ("several", ["h", "u16[]:1,2,3"]),
        ("same_u16s", ["u16[]:1,2,3"]),
        ("same_u16s", ["u16[]:"]),
    ],
)
def test_a_warm_instance_stays_bounded(
    prepared: Prepared, version: str, function: str, argument: bytes | list[str]
) -> None:
    """What is allocated for a call is freed, by the guest or by the host, and nothing is freed twice."""
    if prepared.function_type(function) is None:
        pytest.skip("this version returns bytes always")
    if version in SAME or type(prepared).__name__ == "PublicPrepared":
        pytest.skip("measured with the same code already")
    ready = GUEST.ready(prepared, LIMITS, max_invocations=5000)
    first = run(ready, function, argument, limits=LIMITS)
    last = [run(ready, function, argument, limits=LIMITS) for _ in range(4000)][-1]

    assert seen(last) == seen(first)
    assert last.memory_bytes == first.memory_bytes


@pytest.mark.parametrize(
    ("version_0_1_0", "body", "expected"),
    [
        ("0.1.0", b"a\0\xff", (OK, b"a\0\xff", RAW)),
        ("0.1.0", b"", (OK, b"", RAW)),
        ("0.1.0-text", b"hello", (OK, b"hello", RAW)),
        ("0.1.0-text", b"", (OK, b"", RAW)),
        ("0.1.0-text", b"fail it is so", (EXITED, "guest failed: it is so", RAW)),
    ],
)
def test_the_first_version(
    engine: Engine, version_0_1_0: str, body: bytes, expected: tuple[Reason, bytes | str, ResultKind]
) -> None:
    """It exports one function, and reads a text up to a NUL, which the host has to write."""
    ready = GUEST.ready(load(engine, wasm_of(version_0_1_0), LIMITS), LIMITS, max_invocations=1000)

    # The memory of a longer text before it is used again.
    outcomes = [run(ready, "run_e", each, limits=LIMITS) for each in (b"a longer text before", body)]

    assert seen(outcomes[-1]) == expected


def test_it_has_dapr(prepared: Prepared) -> None:
    """A granted call to Dapr changes nothing for a guest that makes none."""
    ready = GUEST.ready(prepared, LIMITS)

    assert run(ready, "echo", b"x", dapr=FakeDapr(), limits=LIMITS).body == b"x"


def test_an_invocation_leaves_no_cycle(prepared: Prepared, engine: Engine) -> None:
    """Nothing that a call made waits for the garbage collector."""
    if engine.__class__.__name__ == "PublicEngine":
        pytest.skip("the frames of Wasmtime's own classes hold the exception that ended a call")
    ready = GUEST.ready(prepared, LIMITS, max_invocations=100)
    for function in ("echo", "fail", "missing", "echo"):
        run(ready, function, b"x", limits=LIMITS)
    gc.collect()
    gc.disable()
    try:
        for function in ("echo", "fail", "missing", "panic"):
            run(ready, function, b"x", limits=LIMITS)
        found = gc.collect()
    finally:
        gc.enable()

    assert found == 0
