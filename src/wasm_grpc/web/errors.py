"""What a call through the sidecar came to, as an HTTP status and a sentence for people."""

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
    A request that has no result; the text is one sentence.

    Attributes:
        status: HTTP status.
        reason: What the page acts on, or "".
    """

    def __init__(self, status: int, sentence: str, *, reason: str = "") -> None:
        super().__init__(sentence)
        self.status = status
        self.reason = reason


def error_of(error: grpc.aio.AioRpcError, service: str) -> ApiError:
    """
    Return the error of a failed call; nothing of a service's inside is in it but why it rejected a picture.

    Args:
        error: What the sidecar answered with.
        service: The function's name, for the sentence.
    """
    reason = _reason(error)
    if reason is Reason.REJECTED:
        return _rejection(_PREFIX.sub("", error.details() or ""))
    if reason is Reason.BODY_TOO_LARGE:
        return ApiError(413, f"The picture is larger than {service} takes.")
    if reason in _BUSY:
        return ApiError(503, f"{service.capitalize()} is busy; try again in a moment.")
    if reason in _LATE or error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        return ApiError(504, f"{service.capitalize()} took too long.")
    if reason is None:
        return _sidecar_error(error, service)
    return ApiError(500, f"{service.capitalize()} failed on this picture; its log says why.")


def _rejection(text: str) -> ApiError:
    if text.startswith("the body is no picture"):
        return ApiError(400, "That is no picture that can be read here: JPEG, PNG, GIF, BMP and WebP can.")
    reason = "NOTHING_DRAWN" if text.startswith("nothing is drawn") else ""
    return ApiError(400, _sentence(text), reason=reason)


def _sidecar_error(error: grpc.aio.AioRpcError, service: str) -> ApiError:
    if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
        # Its own limit, 4 MiB unless the flag raises it.
        return ApiError(413, "The picture is larger than the sidecar takes (--max-body-size).")
    # It found no app, or no server behind it.
    return ApiError(503, f"{service.capitalize()} can't be reached; is it running?")


def _reason(error: grpc.aio.AioRpcError) -> Reason | None:
    """
    Return the reason that a function's server sent along, or None if none did.
    """
    info = error_info_of(error.trailing_metadata())
    if info is None:
        return None
    return Reason(info.reason) if info.reason in Reason.__members__ else Reason.INTERNAL


def _sentence(text: str) -> str:
    text = text.strip()
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '!', '?', '…')) else '.'}"
