"""What each kind of failure means to Dapr."""

from __future__ import annotations

from dataclasses import fields

import pytest

from wasm_grpc.core.errors import GuestStatusError, InvocationError
from wasm_grpc.core.model import Reason
from wasm_grpc.invocation.outcomes import Crashes, Verdict, verdict_on
from wasm_grpc.manifest.tables import OutcomePolicy, Retry

KEYS = [field.name for field in fields(OutcomePolicy)]
OTHER = {Retry.RETRY: Retry.DROP, Retry.DROP: Retry.RETRY}

OUTCOMES = {
    Reason.REJECTED: "rejected",
    Reason.EVENT_EMPTIED: "rejected",
    Reason.EVENT_INVALID: "rejected",
    Reason.BODY_TOO_LARGE: "rejected",
    Reason.INVALID_REQUEST: "rejected",
    Reason.EXITED: "failed",
    Reason.TRAPPED: "failed",
    Reason.OUT_OF_MEMORY: "failed",
    Reason.OUTPUT_LIMIT: "failed",
    Reason.HOST_CALL_LIMIT: "failed",
    Reason.BAD_RESPONSE: "failed",
    Reason.TIMEOUT: "timeout",
    Reason.CPU_LIMIT: "timeout",
    Reason.QUEUE_FULL: "overloaded",
    Reason.QUEUE_WAIT: "overloaded",
    Reason.DENIED: "denied",
    Reason.CRASHED: "crash",
    Reason.WORKER_MEMORY: "crash",
    Reason.INTERNAL: "crash",
    Reason.UNSENT: "then_failed",
    Reason.THEN_FAILED: "then_failed",
    Reason.THEN_UNAVAILABLE: "then_failed",
}


def verdict(error: InvocationError, policy: OutcomePolicy) -> Verdict:
    """Return the verdict on a message's first failure."""
    return verdict_on(error, policy, crashes=Crashes(), message="m")


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason not in {Reason.OK, Reason.STATUS}])
def test_a_reasons_key(reason: Reason) -> None:
    """One key of [outcome] decides each reason, no other; what is no fault of the function is always retried."""
    error = InvocationError(reason, "text")
    key = OUTCOMES.get(reason)

    for decides in KEYS:
        policy = OutcomePolicy(**{name: Retry.DROP if name == decides else Retry.RETRY for name in KEYS})
        assert verdict(error, policy) is (Verdict.DROP if key == decides else Verdict.RETRY)


def test_the_defaults() -> None:
    """Bad input, failures and refusals are dropped, what may pass is retried."""
    found = {reason: verdict(InvocationError(reason, ""), OutcomePolicy()) for reason in OUTCOMES}

    dropped = {"rejected", "failed", "denied"}
    assert found == {
        reason: Verdict.DROP if key in dropped else Verdict.RETRY for reason, key in OUTCOMES.items()
    }


@pytest.mark.parametrize(
    ("http_status", "key"),
    [
        (302, "failed"),
        (400, "rejected"),
        (401, "denied"),
        (403, "denied"),
        (404, "rejected"),
        (408, "timeout"),
        (429, "overloaded"),
        (500, "failed"),
        (503, "overloaded"),
        (504, "timeout"),
    ],
)
def test_a_status_of_the_guests_own(http_status: int, key: str) -> None:
    """What a CGI guest answers has the meaning of its class, or of the failure that it names."""
    error = GuestStatusError(http_status, "text", function="f")

    for decides in KEYS:
        policy = OutcomePolicy(**{name: Retry.DROP if name == decides else Retry.RETRY for name in KEYS})
        assert verdict(error, policy) is (Verdict.DROP if key == decides else Verdict.RETRY)


def test_the_second_crash_of_a_message_is_the_last() -> None:
    """A message is dropped when a second worker died of it, whatever else crashed or failed between."""
    crashes, policy = Crashes(), OutcomePolicy()
    crash, late = InvocationError(Reason.CRASHED, ""), InvocationError(Reason.TIMEOUT, "")

    verdicts = [
        verdict_on(error, policy, crashes=crashes, message=message)
        for error, message in [
            (crash, "a"),
            (crash, "b"),
            (late, "a"),
            (late, "c"),
            (crash, "a"),
            (crash, "a"),
        ]
    ]

    assert [each is Verdict.DROP for each in verdicts] == [False, False, False, False, True, False]


def test_a_message_that_went_well_is_forgotten() -> None:
    """A crash counts no longer once the message was taken."""
    crashes = Crashes()
    crashes.is_second("a")
    crashes.forget("a")

    assert not crashes.is_second("a")


def test_crashes_are_bounded() -> None:
    """Beyond the limit the longest unseen message is forgotten."""
    crashes = Crashes(limit=2)

    seen = [crashes.is_second(message) for message in "abccba"]

    assert seen == [False, False, False, True, True, False]
