"""Turn a failed call through the sidecar into an HTTP status and a sentence for people."""

from __future__ import annotations

import re

import grpc

from wasm_grpc.core.model import Reason
from wasm_grpc.dapr.details import error_info_of

__all__ = ["ApiError", "error_of"]

_BUSY = frozenset({Reason.QUEUE_FULL, Reason.QUEUE_WAIT, Reason.WORKER_MEMORY, Reason.DRAINING})
_LATE = frozenset({Reason.TIMEOUT, Reason.CPU_LIMIT})
_PREFIX = re.compile(r"^function '[^']*': (?:rejected the input: )?")


class ApiError(Exception):
    """
    A failed request. The text is one sentence for people.

    Attributes:
        status: HTTP status.
        reason: A code that the page reacts to, or "".
    """

    def __init__(self, status: int, sentence: str, *, reason: str = "") -> None:
        super().__init__(sentence)
        self.status = status
        self.reason = reason


def error_of(error: grpc.aio.AioRpcError, service: str) -> ApiError:
    """
    Return the error of a failed call. It reveals nothing internal but why a function rejected a picture.

    Args:
        error: The sidecar's error.
        service: The function's name, for the sentence.
    """
    reason = _reason(error)
    if reason is Reason.REJECTED:
        return _rejection(_PREFIX.sub("", error.details() or ""))
    if reason is Reason.BODY_TOO_LARGE:
        return ApiError(413, f"The picture is larger than {service} accepts.")
    if reason in _BUSY:
        return ApiError(503, f"{service.capitalize()} is busy; try again in a moment.")
    if reason in _LATE or error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        return ApiError(504, f"{service.capitalize()} took too long.")
    if reason is None:
        return _sidecar_error(error, service)
    return ApiError(500, f"{service.capitalize()} failed on this picture; its log says why.")


def _rejection(text: str) -> ApiError:
    # The functions' own message lists what they accept; the page says it in its words.
    if text.startswith("the body is not a picture"):
        return ApiError(
            400, "That is not a picture that can be read here; expected a JPEG, PNG, GIF, BMP or WebP."
        )
    reason = "NOTHING_DRAWN" if text.startswith("nothing is drawn") else ""
    return ApiError(400, _sentence(text), reason=reason)


def _sidecar_error(error: grpc.aio.AioRpcError, service: str) -> ApiError:
    if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
        # The sidecar's own limit, 4 MiB by default.
        return ApiError(413, "The picture is larger than the sidecar accepts (--max-body-size).")
    # The sidecar found no app, or no server behind the app.
    return ApiError(503, f"{service.capitalize()} can't be reached; is it running?")


def _reason(error: grpc.aio.AioRpcError) -> Reason | None:
    """
    Return the reason in the server's error details, or None if there is none.
    """
    info = error_info_of(error.trailing_metadata())
    if info is None:
        return None
    return Reason(info.reason) if info.reason in Reason.__members__ else Reason.INTERNAL


def _sentence(text: str) -> str:
    text = text.strip()
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '!', '?', '…')) else '.'}"
