"""
What a worker promises of its answers, checked again by the server, since a worker may have been taken over.

A worker that keeps to its function's limits breaks none of this. One that does is ended.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from wasm_grpc.core.errors import ProtocolError
from wasm_grpc.core.memory_limits import limit_in_code
from wasm_grpc.core.model import DAPR_MESSAGE_BYTES, KIB, GuestKind, Outcome, Reason, WorkerFunction
from wasm_grpc.core.wire import MESSAGE_LIMIT_BYTES

__all__ = ["FrameLimits", "check_outcome", "frame_limits"]

_STREAM_PIECE_BYTES = 256 * KIB
"""The longest OUTPUT that a worker sends."""
_HEAD_SLACK_BYTES = KIB
"""For the fixed part of a head, the name of a limit, and the name of a method of Dapr's."""

_LIMIT_KEYS: Final = {
    Reason.BODY_TOO_LARGE: "limits.body",
    Reason.HOST_CALL_LIMIT: "limits.host_calls",
    Reason.OUTPUT_LIMIT: "limits.output",
    Reason.OUT_OF_MEMORY: "limits.memory",
}
"""How a guest ends that has reached a limit, and the limit's key in the manifest."""
_GUEST_REASONS: Final = frozenset(
    (
        *_LIMIT_KEYS,
        Reason.OK,
        Reason.DENIED,
        Reason.EXITED,
        Reason.INTERNAL,
        Reason.REJECTED,
        Reason.TRAPPED,
        Reason.UNSENT,
        Reason.WORKER_MEMORY,
    )
)
"""How an invocation can have ended on a worker that has loaded the function. Others are the server's."""
_BINDGEN_REASONS: Final = _GUEST_REASONS | {Reason.BAD_RESPONSE}
"""The same of a wasmedge-bindgen guest, whose results the worker reads."""
_UNLOADED_REASONS: Final = frozenset((Reason.UNAVAILABLE,))
_REASONS_WITH_CODE: Final = frozenset((Reason.DENIED, Reason.EXITED, Reason.OUT_OF_MEMORY, Reason.REJECTED))


@dataclass(frozen=True, slots=True)
class FrameLimits:
    """
    The longest head and body of the frames of one invocation, in bytes.
    """

    head_bytes: int
    body_bytes: int


def frame_limits(function: WorkerFunction, *, is_stream: bool) -> FrameLimits:
    """
    Return how long the frames may be that a worker sends while it runs a function.

    Args:
        function: The function.
        is_stream: Its output is sent while it runs, and not with its result.
    """
    limits = function.limits
    longest = _STREAM_PIECE_BYTES if is_stream else limits.result_bytes
    if function.grants.dapr.is_granted:
        longest = max(longest, DAPR_MESSAGE_BYTES)
    return FrameLimits(limits.stderr_bytes + MESSAGE_LIMIT_BYTES + _HEAD_SLACK_BYTES, longest)


def check_outcome(outcome: Outcome, function: WorkerFunction, *, is_stream: bool, is_loaded: bool) -> None:
    """
    Check an outcome against the limits of its function.

    Args:
        outcome: What the worker says.
        function: What it ran.
        is_stream: Its output was sent while it ran.
        is_loaded: The worker has loaded the function.

    Raises:
        ProtocolError: No worker that keeps to the limits would say that.
    """
    fault = _reason_fault(outcome, function, is_loaded=is_loaded) or _size_fault(
        outcome, function, is_stream=is_stream
    )
    if fault:
        raise ProtocolError(f"RESULT frame: outcome.{fault}")


def _reason_fault(outcome: Outcome, function: WorkerFunction, *, is_loaded: bool) -> str:
    reason = outcome.reason
    reasons = _BINDGEN_REASONS if function.guest is GuestKind.WASMEDGE_BINDGEN else _GUEST_REASONS
    if not is_loaded:
        reasons = _UNLOADED_REASONS
    limit = _LIMIT_KEYS.get(reason, "")
    if reason not in reasons:
        return f"reason: {reason.value}; expected one that a worker can give now"
    if outcome.limit != limit:
        return f"limit: another than that of {reason.value}; expected {limit or 'none'}"
    if outcome.exit_code and reason not in _REASONS_WITH_CODE:
        return f"exit_code: {outcome.exit_code}, with {reason.value}; expected 0"
    if reason is Reason.OK and outcome.message:
        return "message: of a success; expected none"
    return ""


def _size_fault(outcome: Outcome, function: WorkerFunction, *, is_stream: bool) -> str:
    limits = function.limits
    collects = outcome.reason is Reason.OK and not is_stream
    sizes = (
        ("body", len(outcome.body), limits.result_bytes if collects else 0),
        ("stderr", len(outcome.stderr), limits.stderr_bytes),
        ("message", len(outcome.message), MESSAGE_LIMIT_BYTES),
        (
            "memory_bytes",
            outcome.memory_bytes,
            limit_in_code(limits.memory_bytes, is_set_by_instance=False),
        ),
    )
    return next(
        (f"{name}: {size}; expected at most {longest}" for name, size, longest in sizes if size > longest), ""
    )
