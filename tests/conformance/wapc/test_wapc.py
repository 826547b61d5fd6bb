"""A waPC guest is called, answers and fails the same on every engine; a warm one keeps its memory alone."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest

from conformance.engines.table import assemble
from conformance.wapc.calls import GUEST, LIMITS, FakeDapr, call, load
from wasm_grpc.core.model import KIB, PAGE_BYTES, Limits, Outcome, Reason
from wasm_grpc.engines.protocol import Engine, GuestStop, Prepared
from wasm_grpc.guests.protocol import GuestCall

__all__ = []

BODY = bytes(range(256)) * 200
OK, EXITED, TRAPPED = Reason.OK, Reason.EXITED, Reason.TRAPPED

ANSWERS: dict[str, tuple[str, bytes, Reason, bytes | str]] = {
    "echo": ("echo", BODY, OK, BODY),
    "echo of nothing": ("echo", b"", OK, b""),
    "success with nothing": ("s", b"", OK, b""),
    "success with an error and no response": ("q", b"bad", EXITED, "guest failed: bad"),
    "success with both": ("b", b"good", OK, b"good"),
    "two responses": ("d", b"last", OK, b"last"),
    "failure": ("f", b"no such order", EXITED, "guest failed: no such order"),
    "failure in two lines": ("f", b"no\n such\0 \xff\n", EXITED, "guest failed: no | such \ufffd"),
    "failure without a reason": ("n", b"", EXITED, "guest failed: it gave no reason"),
    "failure with an empty reason": ("f", b"", EXITED, "guest failed: it gave no reason"),
    "neither success nor failure": ("2", b"x", EXITED, "guest failed: it gave no reason"),
    "error, then a trap": ("t", b"bad", EXITED, "guest failed: bad"),
    "exit": ("x", b"\x03", EXITED, "exit code 3"),
    "exit that a command succeeds by": (
        "x",
        b"\0",
        EXITED,
        "guest failed: it exited in the middle of a call (exit code 0)",
    ),
    "exit that rejects the input": ("x", b"\x41", Reason.REJECTED, "guest rejected its input (exit code 65)"),
    "error, then an exit": ("y", b"\x03", EXITED, "guest failed: early"),
    "initialisers": ("i", b"", OK, b"11"),
    "response over memory": (
        "z",
        b"",
        TRAPPED,
        "out of bounds memory access in wapc.__guest_response: 4294967295 bytes at 0; "
        "expected them within 262144",
    ),
    "input": ("p", b"seen", OK, b""),
    "host call": ("h", b"{}", OK, b"GetState json {}"),
    "host call in protobuf": ("h", b"\x0a\x01s", OK, b"GetState protobuf \x0a\x01s"),
    "host call that fails": ("h", b"", EXITED, "guest failed: NOT_FOUND: no such thing"),
    "host call that is denied": (
        "h",
        b"denied",
        Reason.DENIED,
        "state 's/k' is not granted (guest failed: state 's/k' is not granted)",
    ),
    "answer to no host call": ("k", b"", OK, b""),
}
"""Operation, payload; reason, and the response or the message."""


@pytest.fixture(scope="module")
def prepared(engine: Engine) -> Prepared:
    """The guest, compiled once for each engine."""
    return load(engine, assemble(Path(__file__).with_name("guest.wat").read_text()))


def _run(prepared: Prepared, guest_call: GuestCall) -> Outcome:
    return GUEST.ready(prepared, LIMITS).run(guest_call).outcome


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer(prepared: Prepared, name: str) -> None:
    """What the guest returned, handed over and said makes the outcome."""
    operation, payload, reason, answer = ANSWERS[name]

    outcome = _run(prepared, call(operation, payload, dapr=FakeDapr()))

    assert (outcome.reason, outcome.message or outcome.body) == (reason, answer)


def test_what_it_prints_is_its_log(prepared: Prepared) -> None:
    """Its standard output goes to the log instead of the response, and its standard input is empty."""
    outcome = _run(prepared, call("p", b"line"))

    assert (outcome.reason, outcome.body, outcome.stderr) == (OK, b"", b"lineline\n")


def test_a_trap(prepared: Prepared) -> None:
    """Without an error that it handed over, the trap tells."""
    outcome = _run(prepared, call("u"))

    assert (outcome.reason, outcome.message.startswith("unreachable")) == (TRAPPED, True)


def test_out_of_memory(prepared: Prepared) -> None:
    """It is told as such, as for a command."""
    outcome = _run(prepared, call("a"))

    assert (outcome.reason, outcome.limit) == (Reason.OUT_OF_MEMORY, "limits.memory")


def test_too_long_a_response(prepared: Prepared) -> None:
    """It ends the guest."""
    limits = Limits(output_bytes=3)

    outcome = _run(prepared, call("echo", b"four", limits=limits))

    assert (outcome.reason, outcome.limit) == (Reason.OUTPUT_LIMIT, "limits.output")


def test_a_call_over_the_limit_of_host_calls(prepared: Prepared) -> None:
    """The guest is stopped, whatever it would do next."""

    class Limited(FakeDapr):
        def call(self, method: str, request: bytes, *, is_json: bool) -> object:  # type: ignore[override]
            raise GuestStop(Reason.HOST_CALL_LIMIT, "too many", limit="limits.host_calls")

    outcome = _run(prepared, call("l", dapr=Limited()))

    assert (outcome.reason, outcome.limit) == (Reason.HOST_CALL_LIMIT, "limits.host_calls")


def test_too_long_an_input_runs_no_guest(prepared: Prepared) -> None:
    """A stream's input has no length in advance; the instance is as good as before."""
    ready = GUEST.ready(prepared, LIMITS)

    refused = ready.run(call("echo", bytes(64 * KIB + 1))).outcome

    assert (refused.reason, refused.limit) == (Reason.BODY_TOO_LARGE, "limits.body")
    assert not ready.is_spent
    assert ready.run(call("i")).outcome.body == b"11"


def test_a_fresh_instance_serves_one_invocation(prepared: Prepared) -> None:
    """No invocation sees what another one left in memory, whatever it was."""
    seen = []
    for _ in range(3):
        ready = GUEST.ready(prepared, LIMITS)
        seen.append(ready.run(call("r", os.urandom(16))).outcome.body)
        assert ready.is_spent

    assert seen == [bytes(16)] * 3


def test_a_warm_instance_keeps_its_memory(prepared: Prepared) -> None:
    """It is initialised once, and sees what the invocation before it has left in memory."""
    ready = GUEST.ready(prepared, LIMITS, max_invocations=4)
    payloads = [os.urandom(16) for _ in range(3)]

    seen = [ready.run(call("r", payload)).outcome.body for payload in payloads]

    assert seen == [bytes(16), *payloads[:2]]
    assert ready.run(call("i")).outcome.body == b"11"


def test_a_warm_instance_keeps_nothing_else(prepared: Prepared) -> None:
    """Descriptors, files, environment, request and the host's answers are those of each invocation."""
    ready = GUEST.ready(prepared, LIMITS, max_invocations=10)
    secret = os.urandom(8).hex()

    descriptors = [ready.run(call("c")).outcome.body for _ in range(2)]
    environment = [ready.run(call("v", env=each)).outcome.body for each in (f"A={secret}", "B=")]
    host = [
        ready.run(call("h", secret.encode(), dapr=FakeDapr())).outcome.body,
        ready.run(call("k")).outcome.body,
    ]
    without_dapr = ready.run(call("h", b"{}")).outcome
    payloads = [ready.run(call("echo", each)).outcome.body for each in (secret.encode(), b"", b"x")]

    assert descriptors == [(4).to_bytes(4, "little")] * 2
    assert environment == [f"A={secret}\0".encode(), b"B=\0"]
    assert host == [f"GetState protobuf {secret}".encode(), b""]
    assert without_dapr.message.startswith("guest failed: binding 'dapr' is unknown")
    assert payloads == [secret.encode(), b"", b"x"]


@pytest.mark.parametrize(
    ("operation", "is_spent"),
    [
        ("e", False),
        ("f", False),
        ("n", False),
        ("q", False),
        ("t", True),
        ("u", True),
        ("x", True),
        ("z", True),
    ],
)
def test_only_an_instance_that_returned_is_used_again(
    prepared: Prepared, operation: str, *, is_spent: bool
) -> None:
    """A guest that says that it failed has returned; after a trap, an exit or a stop its memory may be broken."""
    ready = GUEST.ready(prepared, LIMITS, max_invocations=2)

    ready.run(call(operation, b"\x03"))

    assert ready.is_spent == is_spent


def test_a_warm_instance_retires(prepared: Prepared) -> None:
    """It serves as many invocations as it may."""
    ready = GUEST.ready(prepared, LIMITS, max_invocations=3)
    spent = []

    for _ in range(3):
        ready.run(call("e"))
        spent.append(ready.is_spent)

    assert spent == [False, False, True]


def test_a_warm_instance_tells_its_memory(prepared: Prepared) -> None:
    """What it has grown by stays its own."""
    ready = GUEST.ready(prepared, LIMITS, max_invocations=3)

    sizes = [ready.run(call(operation)).outcome.memory_bytes // PAGE_BYTES for operation in "ege"]

    assert sizes == [4, 5, 5]


@pytest.mark.parametrize("operation", ["echo", "f", "t", "u", "x", "y", "z"])
def test_an_invocation_leaves_no_cycle(prepared: Prepared, engine: Engine, operation: str) -> None:
    """What ended the guest refers to no frame, or a view of the guest's memory would wait for the collector."""
    if engine.__class__.__name__ == "PublicEngine":
        pytest.skip("the frames of Wasmtime's own classes hold the exception that ended a call")
    _run(prepared, call(operation, b"\x03"))
    gc.collect()
    gc.disable()
    try:
        _run(prepared, call(operation, b"\x03"))
        found = gc.collect()
    finally:
        gc.enable()

    assert found == 0


INITIALISERS = {
    "trap": ('(func (export "wapc_init") (unreachable))', TRAPPED, "unreachable"),
    "error, then a trap": (
        '(func (export "_initialize") (call $error (i32.const 0) (i32.const 5)) (unreachable))',
        EXITED,
        "guest failed: early",
    ),
    "exit": ('(func (export "_start") (call $exit (i32.const 3)))', EXITED, "exit code 3"),
    "start function": ("(func $start (unreachable)) (start $start)", TRAPPED, "unreachable"),
    "an error alone": (
        '(func (export "wapc_init") (call $error (i32.const 0) (i32.const 5)))',
        OK,
        "",
    ),
    "command and reactor": (
        '(func (export "_start")) (func (export "_initialize") (unreachable))',
        OK,
        "",
    ),
}


@pytest.mark.parametrize("name", INITIALISERS)
def test_initialisers_belong_to_the_first_invocation(engine: Engine, name: str) -> None:
    """They run in it and not before, and how they fail is how it fails."""
    function, reason, message = INITIALISERS[name]
    wasm = assemble(
        f"""(module
          (import "wapc" "__guest_error" (func $error (param i32 i32)))
          (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
          (memory (export "memory") 1) (data (i32.const 0) "early")
          {function}
          (func (export "__guest_call") (param i32 i32) (result i32) (i32.const 1)))"""
    )

    ready = GUEST.ready(load(engine, wasm), LIMITS, max_invocations=2)
    outcome = ready.run(call("e")).outcome

    assert (outcome.reason, outcome.message[: len(message)]) == (reason, message)
    assert ready.is_spent == (reason is not OK)


def test_a_module_that_can_not_be_instantiated(engine: Engine) -> None:
    """A data segment that does not fit ends the invocation, not the preparation."""
    wasm = assemble(
        """(module
          (memory (export "memory") 1) (data (i32.const 65536) "x")
          (func (export "__guest_call") (param i32 i32) (result i32) (i32.const 1)))"""
    )

    ready = GUEST.ready(load(engine, wasm), LIMITS, max_invocations=2)

    assert ready.run(call("e")).outcome.reason is TRAPPED
    assert ready.is_spent
