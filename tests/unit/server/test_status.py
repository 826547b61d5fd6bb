"""The status of every way to fail: its code, and that it fits and reads well."""

from __future__ import annotations

from urllib.parse import quote

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from wasm_grpc.core.errors import InvocationError
from wasm_grpc.core.model import Outcome, Reason
from wasm_grpc.invocation.response import failure
from wasm_grpc.server.status import STATUS_CODES, status_of

CODES = grpc.StatusCode


def info_of(details: bytes) -> error_details_pb2.ErrorInfo:
    """Read the ErrorInfo of a status."""
    info = error_details_pb2.ErrorInfo()
    (packed,) = status_pb2.Status.FromString(details).details
    assert packed.Unpack(info)
    return info


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        (Reason.UNKNOWN_METHOD, CODES.NOT_FOUND),
        (Reason.VERB_NOT_ALLOWED, CODES.INVALID_ARGUMENT),
        (Reason.BODY_TOO_LARGE, CODES.RESOURCE_EXHAUSTED),
        (Reason.UNAUTHENTICATED, CODES.UNAUTHENTICATED),
        (Reason.QUEUE_FULL, CODES.RESOURCE_EXHAUSTED),
        (Reason.DRAINING, CODES.UNAVAILABLE),
        (Reason.REJECTED, CODES.INVALID_ARGUMENT),
        (Reason.EXITED, CODES.INTERNAL),
        (Reason.TRAPPED, CODES.INTERNAL),
        (Reason.OUT_OF_MEMORY, CODES.INTERNAL),
        (Reason.OUTPUT_LIMIT, CODES.RESOURCE_EXHAUSTED),
        (Reason.HOST_CALL_LIMIT, CODES.RESOURCE_EXHAUSTED),
        (Reason.UNSENT, CODES.INTERNAL),
        (Reason.TIMEOUT, CODES.DEADLINE_EXCEEDED),
        (Reason.DENIED, CODES.PERMISSION_DENIED),
        (Reason.CRASHED, CODES.INTERNAL),
        (Reason.WORKER_MEMORY, CODES.RESOURCE_EXHAUSTED),
    ],
)
def test_the_code_of_a_reason(reason: Reason, code: grpc.StatusCode) -> None:
    """Each way to fail has the code that its caller can act on."""
    assert status_of(InvocationError(reason, "text"), "").code is code


def test_every_reason_has_a_code() -> None:
    """No reason is missing from the table but STATUS, which has the code of its HTTP status; only OK is OK."""
    assert set(STATUS_CODES) == set(Reason) - {Reason.STATUS}
    assert [reason for reason, code in STATUS_CODES.items() if code is CODES.OK] == [Reason.OK]


@pytest.mark.parametrize(
    ("reason", "delay_s"),
    [
        (Reason.QUEUE_FULL, 1),
        (Reason.QUEUE_WAIT, 1),
        (Reason.DRAINING, 1),
        (Reason.UNAVAILABLE, 5),
        (Reason.BODY_TOO_LARGE, None),
        (Reason.OUTPUT_LIMIT, None),
        (Reason.TIMEOUT, None),
    ],
)
def test_what_passes_by_itself(reason: Reason, delay_s: int | None) -> None:
    """A RetryInfo tells a busy server from a call that would fail again, which has the same code."""
    status = status_pb2.Status.FromString(status_of(InvocationError(reason, "text"), "").details)
    retry = error_details_pb2.RetryInfo()

    found = [detail for detail in status.details if detail.Unpack(retry)]

    assert (retry.retry_delay.seconds if found else None) == delay_s


def test_what_the_details_say() -> None:
    """The ErrorInfo has the reason, the domain, and of function, limit and id those that there are."""
    error = InvocationError(Reason.TIMEOUT, "late", function="f", limit="limits.timeout")

    status = status_of(error, "id-1")

    packed = status_pb2.Status.FromString(status.details)
    info = info_of(status.details)
    assert (status.code, status.message) == (CODES.DEADLINE_EXCEEDED, "late")
    assert (packed.code, packed.message) == (4, "late")
    assert (info.reason, info.domain) == ("TIMEOUT", "wasm-grpc")
    assert dict(info.metadata) == {"function": "f", "limit": "limits.timeout", "invocation_id": "id-1"}
    assert not info_of(status_of(InvocationError(Reason.INTERNAL, "x"), "").details).metadata


@pytest.mark.parametrize(
    "text",
    [
        "x" * 10_000,
        "é" * 5_000,
        "😀" * 5_000,
        "\n" * 10_000,
        "a%b" * 4_000,
        "\x00\x1f" * 3_000,
        "…" * 1024,
        "short",
    ],
    ids=["ascii", "2 bytes", "4 bytes", "newlines", "percent", "control", "3 bytes", "short"],
)
def test_a_message_fits(text: str) -> None:
    """Whatever the text, message and details fit the 4,096 bytes and 8 KiB that peers take, and begin as it."""
    status = status_of(
        InvocationError(Reason.EXITED, text, function="f" * 63, limit="limits.memory"), "1" * 20
    )

    assert len(quote(status.message, safe="")) < 4096
    assert len(quote(status.message)) + len(status.details) * 4 / 3 < 8 * 1024 - 512
    assert status.message == text or (status.message.endswith("…") and text.startswith(status.message[:-1]))
    assert len(status.message) >= min(len(text), 256)


@pytest.mark.parametrize(
    ("outcome", "message"),
    [
        (Outcome(reason=Reason.TRAPPED, message="unreachable"), "function 'f': unreachable"),
        (
            Outcome(reason=Reason.EXITED, message="exit code 7", stderr=b"line one\n\n  line two\r\n"),
            "function 'f': exit code 7; it said: line one | line two",
        ),
        (
            Outcome(reason=Reason.REJECTED, message="guest rejected its input", stderr=b"no picture\n"),
            "function 'f': rejected the input: no picture",
        ),
        (
            Outcome(reason=Reason.REJECTED, message="guest rejected its input (exit code 65)"),
            "function 'f': rejected the input: guest rejected its input (exit code 65)",
        ),
        (
            Outcome(reason=Reason.EXITED, message="exit code 1", stderr=b"\x1b[31mred\x00\xff\xfe"),
            "function 'f': exit code 1; it said: [31mred��",
        ),
        (
            Outcome(reason=Reason.EXITED, message="exit code 1", stderr=b" \n" * 100_000),
            "function 'f': exit code 1",
        ),
        (
            Outcome(reason=Reason.REJECTED, message="guest rejected its input", stderr=b"\n" * 100_000),
            "function 'f': rejected the input: guest rejected its input",
        ),
    ],
    ids=["silent", "lines", "rejected", "rejected in silence", "no text", "blank", "rejected, blank"],
)
def test_what_a_guest_said(outcome: Outcome, message: str) -> None:
    """A failure carries what its guest said on standard error, as one line of valid text."""
    error = failure(outcome, "f")

    assert (str(error), error.reason, error.function) == (message, outcome.reason, "f")


@pytest.mark.parametrize("unit", [b"x", "é".encode(), "😀".encode()], ids=["1 byte", "2 bytes", "4 bytes"])
def test_a_long_log_keeps_its_end(unit: bytes) -> None:
    """Of a long standard error the end is told, marked as cut; a character cut in half is no error."""
    outcome = Outcome(reason=Reason.EXITED, message="exit code 1", stderr=unit * 20_001 + b" the end")

    message = str(failure(outcome, "f"))

    assert "it said: …" in message
    assert message.endswith(" the end")
    assert len(message.encode()) < 2048
