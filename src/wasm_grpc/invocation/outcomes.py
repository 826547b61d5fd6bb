"""What a failed event means to Dapr: the one table from reasons to the keys of ``[outcome]``."""

from __future__ import annotations

import enum
from collections import OrderedDict
from collections.abc import Hashable, Mapping

from wasm_grpc.core.errors import GuestStatusError, InvocationError
from wasm_grpc.core.model import Reason
from wasm_grpc.manifest.tables import OutcomePolicy, Retry

__all__ = ["Crashes", "Verdict", "verdict_on"]


class Verdict(enum.Enum):
    """
    What becomes of a message: Dapr's ``TopicEventResponseStatus``.
    """

    SUCCESS = enum.auto()
    RETRY = enum.auto()
    DROP = enum.auto()


_CRASH = "crash"

_OUTCOMES: Mapping[Reason, str] = {
    Reason.REJECTED: "rejected",
    Reason.EVENT_EMPTIED: "rejected",
    Reason.EVENT_INVALID: "rejected",
    # It will not be smaller the next time.
    Reason.BODY_TOO_LARGE: "rejected",
    Reason.INVALID_REQUEST: "rejected",
    Reason.EXITED: "failed",
    Reason.TRAPPED: "failed",
    Reason.OUT_OF_MEMORY: "failed",
    Reason.OUTPUT_LIMIT: "failed",
    Reason.BAD_RESPONSE: "failed",
    Reason.TIMEOUT: "timeout",
    Reason.CPU_LIMIT: "timeout",
    Reason.QUEUE_FULL: "overloaded",
    Reason.QUEUE_WAIT: "overloaded",
    Reason.DENIED: "denied",
    Reason.CRASHED: _CRASH,
    Reason.WORKER_MEMORY: _CRASH,
    Reason.INTERNAL: _CRASH,
    Reason.THEN_FAILED: "then_failed",
    Reason.THEN_UNAVAILABLE: "then_failed",
}
"""Keys of ``[outcome]``. What isn't here is no fault of the message or the function: it is retried."""

_HTTP_OUTCOMES = {
    401: "denied",
    403: "denied",
    408: "timeout",
    429: "overloaded",
    503: "overloaded",
    504: "timeout",
}
"""Of a guest's own status (``response = "cgi"``); any other 4xx is "rejected", all else "failed"."""


class Crashes:
    """
    Which messages a worker died of while it ran them.

    Bounded: the longest unseen is forgotten first, and may then be tried twice more.
    """

    def __init__(self, limit: int = 10_000) -> None:
        self._limit = limit
        self._seen: OrderedDict[Hashable, None] = OrderedDict()

    def is_second(self, message: Hashable) -> bool:
        """
        Count a crash; true if this message has had one, which is then forgotten.
        """
        if message in self._seen:
            del self._seen[message]
            return True
        self._seen[message] = None
        if len(self._seen) > self._limit:
            self._seen.popitem(last=False)
        return False

    def forget(self, message: Hashable) -> None:
        """
        This message went well.
        """
        self._seen.pop(message, None)

    def __bool__(self) -> bool:
        return bool(self._seen)


def verdict_on(
    error: InvocationError, policy: OutcomePolicy, *, crashes: Crashes, message: Hashable
) -> Verdict:
    """
    Decide what becomes of a message that failed.

    Args:
        error: How it failed.
        policy: The function's ``[outcome]``.
        crashes: Of all messages; a second crash of one is the last.
        message: What tells this message from others, whenever it is delivered.
    """
    outcome = _outcome(error)
    if outcome is None:
        return Verdict.RETRY
    retry = getattr(policy, outcome) is Retry.RETRY
    if outcome == _CRASH and retry and crashes.is_second(message):
        return Verdict.DROP
    return Verdict.RETRY if retry else Verdict.DROP


def _outcome(error: InvocationError) -> str | None:
    if not isinstance(error, GuestStatusError):
        return _OUTCOMES.get(error.reason)
    is_client_error = 400 <= error.http_status < 500
    return _HTTP_OUTCOMES.get(error.http_status, "rejected" if is_client_error else "failed")
