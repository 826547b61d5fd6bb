"""The one place that maps an invocation's failure to the gRPC status that its caller gets."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

import grpc
from google.protobuf import duration_pb2
from google.rpc import error_details_pb2, status_pb2

from wasm_grpc.core.errors import GuestStatusError, InvocationError
from wasm_grpc.core.model import Reason
from wasm_grpc.dapr.details import ERROR_DOMAIN

__all__ = [
    "HTTP_CODES",
    "STATUS_CODES",
    "Status",
    "clip",
    "status_of",
]

STATUS_CODES = {
    Reason.OK: grpc.StatusCode.OK,
    Reason.UNKNOWN_METHOD: grpc.StatusCode.NOT_FOUND,
    Reason.VERB_NOT_ALLOWED: grpc.StatusCode.INVALID_ARGUMENT,
    Reason.INVALID_REQUEST: grpc.StatusCode.INVALID_ARGUMENT,
    Reason.BODY_TOO_LARGE: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Reason.UNAUTHENTICATED: grpc.StatusCode.UNAUTHENTICATED,
    Reason.QUEUE_FULL: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Reason.QUEUE_WAIT: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Reason.DRAINING: grpc.StatusCode.UNAVAILABLE,
    Reason.CANCELLED: grpc.StatusCode.CANCELLED,
    Reason.UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
    Reason.REJECTED: grpc.StatusCode.INVALID_ARGUMENT,
    Reason.EXITED: grpc.StatusCode.INTERNAL,
    Reason.TRAPPED: grpc.StatusCode.INTERNAL,
    Reason.OUT_OF_MEMORY: grpc.StatusCode.INTERNAL,
    Reason.OUTPUT_LIMIT: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Reason.TIMEOUT: grpc.StatusCode.DEADLINE_EXCEEDED,
    Reason.CPU_LIMIT: grpc.StatusCode.DEADLINE_EXCEEDED,
    Reason.HOST_CALL_LIMIT: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Reason.DENIED: grpc.StatusCode.PERMISSION_DENIED,
    Reason.BAD_RESPONSE: grpc.StatusCode.INTERNAL,
    Reason.EVENT_EMPTIED: grpc.StatusCode.INVALID_ARGUMENT,
    Reason.EVENT_INVALID: grpc.StatusCode.INVALID_ARGUMENT,
    Reason.UNSENT: grpc.StatusCode.INTERNAL,
    Reason.THEN_FAILED: grpc.StatusCode.INTERNAL,
    Reason.THEN_UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
    Reason.CRASHED: grpc.StatusCode.INTERNAL,
    Reason.WORKER_MEMORY: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Reason.INTERNAL: grpc.StatusCode.INTERNAL,
}
"""The code of every reason except ``STATUS``, whose code depends on the HTTP status."""

HTTP_CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    408: grpc.StatusCode.CANCELLED,
    409: grpc.StatusCode.ALREADY_EXISTS,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    500: grpc.StatusCode.INTERNAL,
    501: grpc.StatusCode.UNIMPLEMENTED,
    503: grpc.StatusCode.UNAVAILABLE,
    504: grpc.StatusCode.DEADLINE_EXCEEDED,
}
"""The inverse of Dapr's ``HTTPStatusFromCode`` (``pkg/messaging/v1/util.go``), so that daprd's HTTP callers
see the status that the guest gave. If several codes share a status, this is the most common one."""

_RETRY_S = {
    Reason.QUEUE_FULL: 1,
    Reason.QUEUE_WAIT: 1,
    # Another server may serve the retry at once. This one can only after a restart.
    Reason.DRAINING: 1,
    Reason.UNAVAILABLE: 5,
    Reason.THEN_UNAVAILABLE: 1,
}
"""Reasons worth a retry, with the delay in seconds, sent as ``google.rpc.RetryInfo``. It tells a client that
RESOURCE_EXHAUSTED means a full queue, and not a body that is too large."""

_MESSAGE_LIMIT_BYTES = 3072
"""Limit on a status message, percent-encoded as on the wire. Together with the copy in the details it stays
below the 8 KiB of metadata that gRPC peers accept by default, and below the 4,096 bytes promised."""


@dataclass(frozen=True, slots=True)
class Status:
    """
    The gRPC status of a failed call.

    Attributes:
        code: The gRPC code.
        message: The text for logs and people.
        details: A serialised ``google.rpc.Status`` with an ``ErrorInfo``, and a ``RetryInfo`` if a retry may
            succeed.
    """

    code: grpc.StatusCode
    message: str
    details: bytes


def status_of(error: InvocationError, invocation_id: str) -> Status:
    """
    Return the status of a failed invocation.
    """
    metadata = {"invocation_id": invocation_id, "function": error.function, "limit": error.limit}
    if isinstance(error, GuestStatusError):
        code = _code_of(error.http_status)
        metadata["http_status"] = str(error.http_status)
    else:
        code = STATUS_CODES[error.reason]
    message = clip(str(error))
    info = error_details_pb2.ErrorInfo(
        reason=error.reason.value,
        domain=ERROR_DOMAIN,
        metadata={key: value for key, value in metadata.items() if value},
    )
    number: int = code.value[0]
    status = status_pb2.Status(code=number, message=message)
    status.details.add().Pack(info)
    if delay_s := _RETRY_S.get(error.reason):
        retry = error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=delay_s))
        status.details.add().Pack(retry)
    return Status(code, message, status.SerializeToString())


def _code_of(http_status: int) -> grpc.StatusCode:
    """
    Return the code of an HTTP status that is not 2xx. An unknown one counts as its class (RFC 9110, 15).
    """
    if http_status < 400:
        # gRPC has no redirects.
        return grpc.StatusCode.UNKNOWN
    return HTTP_CODES.get(http_status, HTTP_CODES[http_status // 100 * 100])


def clip(text: str) -> str:
    """
    Return a status message that fits into what gRPC peers accept; a longer text loses its end.
    """
    if len(quote(text, safe="")) <= _MESSAGE_LIMIT_BYTES:
        return text
    room = _MESSAGE_LIMIT_BYTES - len(quote("…", safe=""))
    for end, character in enumerate(text):
        # gRPC escapes fewer characters than `quote`, so this can only clip a little early.
        room -= len(quote(character, safe=""))
        if room < 0:
            return text[:end] + "…"
    return text
