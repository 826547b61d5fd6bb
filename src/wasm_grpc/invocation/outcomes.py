"""Decide what Dapr does with a message that failed: one table maps each reason to a key of ``[outcome]``."""

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
    What daprd does with a message: Dapr's ``TopicEventResponseStatus``.
    """

    SUCCESS = enum.auto()
    RETRY = enum.auto()
    DROP = enum.auto()


class _Kind(enum.Enum):
    """
    Kinds of failure: one for each key of ``[outcome]``.
    """

    REJECTED = enum.auto()
    FAILED = enum.auto()
    TIMEOUT = enum.auto()
    OVERLOADED = enum.auto()
    DENIED = enum.auto()
    CRASH = enum.auto()
    THEN_FAILED = enum.auto()


_KINDS: Mapping[Reason, _Kind] = {
    Reason.REJECTED: _Kind.REJECTED,
    Reason.EVENT_EMPTIED: _Kind.REJECTED,
    Reason.EVENT_INVALID: _Kind.REJECTED,
    # Retrying can't help: the body stays too large.
    Reason.BODY_TOO_LARGE: _Kind.REJECTED,
    Reason.INVALID_REQUEST: _Kind.REJECTED,
    Reason.EXITED: _Kind.FAILED,
    Reason.TRAPPED: _Kind.FAILED,
    Reason.OUT_OF_MEMORY: _Kind.FAILED,
    Reason.OUTPUT_LIMIT: _Kind.FAILED,
    Reason.HOST_CALL_LIMIT: _Kind.FAILED,
    Reason.BAD_RESPONSE: _Kind.FAILED,
    Reason.TIMEOUT: _Kind.TIMEOUT,
    Reason.CPU_LIMIT: _Kind.TIMEOUT,
    Reason.QUEUE_FULL: _Kind.OVERLOADED,
    Reason.QUEUE_WAIT: _Kind.OVERLOADED,
    Reason.DENIED: _Kind.DENIED,
    Reason.CRASHED: _Kind.CRASH,
    Reason.WORKER_MEMORY: _Kind.CRASH,
    Reason.INTERNAL: _Kind.CRASH,
    Reason.UNSENT: _Kind.THEN_FAILED,
    Reason.THEN_FAILED: _Kind.THEN_FAILED,
    Reason.THEN_UNAVAILABLE: _Kind.THEN_FAILED,
}
"""Any other reason is not caused by the message or the function, and the message is retried."""

_HTTP_KINDS = {
    401: _Kind.DENIED,
    403: _Kind.DENIED,
    408: _Kind.TIMEOUT,
    429: _Kind.OVERLOADED,
    503: _Kind.OVERLOADED,
    504: _Kind.TIMEOUT,
}
"""Kinds by a guest's HTTP status (``response = "cgi"``). Any other 4xx is REJECTED, all else FAILED."""


class Crashes:
    """
    Messages that crashed a worker.

    Bounded: the oldest is forgotten first, and may then crash two more workers before it is dropped.
    """

    def __init__(self, limit: int = 10_000) -> None:
        self._limit = limit
        self._seen: OrderedDict[Hashable, None] = OrderedDict()

    def is_second(self, message: Hashable) -> bool:
        """
        Record a crash. Return whether it is this message's second one, and if so forget the message.
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
        Forget the crash of a message that has now succeeded.
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
        error: Why it failed.
        policy: The function's ``[outcome]``.
        crashes: Crashes of all messages. A message's second crash drops it.
        message: Identity of the message, the same at every delivery.
    """
    kind = _kind(error)
    if kind is None:
        # No fault of the message or the function, such as a draining server.
        return Verdict.RETRY
    retry = _choice(policy, kind) is Retry.RETRY
    if kind is _Kind.CRASH and retry and crashes.is_second(message):
        return Verdict.DROP
    return Verdict.RETRY if retry else Verdict.DROP


def _kind(error: InvocationError) -> _Kind | None:
    if not isinstance(error, GuestStatusError):
        return _KINDS.get(error.reason)
    is_client_error = 400 <= error.http_status < 500
    return _HTTP_KINDS.get(error.http_status, _Kind.REJECTED if is_client_error else _Kind.FAILED)


def _choice(policy: OutcomePolicy, kind: _Kind) -> Retry:
    choices = {
        _Kind.REJECTED: policy.rejected,
        _Kind.FAILED: policy.failed,
        _Kind.TIMEOUT: policy.timeout,
        _Kind.OVERLOADED: policy.overloaded,
        _Kind.DENIED: policy.denied,
        _Kind.CRASH: policy.crash,
        _Kind.THEN_FAILED: policy.then_failed,
    }
    return choices[kind]
