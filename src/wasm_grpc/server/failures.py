"""End a failed call with its gRPC status, error details and invocation id."""

from __future__ import annotations

import logging
from typing import Any, NoReturn

import grpc

from wasm_grpc.core.errors import GuestStatusError, InvocationError
from wasm_grpc.core.model import Reason
from wasm_grpc.dapr.details import DETAILS_KEY
from wasm_grpc.server.status import status_of

__all__ = ["INVOCATION_ID_KEY", "Context", "abort", "internal_error"]

_log = logging.getLogger("wasm_grpc.server")

INVOCATION_ID_KEY = "wasm-grpc-invocation-id"
"""Initial metadata of every call that left a line in the log. daprd makes it an HTTP response header."""

Context = grpc.aio.ServicerContext[Any, Any]


def internal_error(where: str) -> InvocationError:
    """
    Log the current exception, and return an error that tells the caller nothing about it.

    Args:
        where: What it happened in, for the log: ``invocation 1``.
    """
    _log.exception("%s: internal error", where)
    return InvocationError(Reason.INTERNAL, "internal error")


async def abort(
    context: Context, error: InvocationError, invocation_id: str, *, has_answered: bool = False
) -> NoReturn:
    """
    End a call with the status of its error.

    Args:
        context: The call's context.
        error: Why it failed.
        invocation_id: The call's invocation id; "" if nothing was invoked.
        has_answered: A message has already been sent, and the initial metadata with it.
    """
    status = status_of(error, invocation_id)
    if invocation_id and not has_answered:
        headers = error.headers if isinstance(error, GuestStatusError) else ()
        await context.send_initial_metadata((*headers, (INVOCATION_ID_KEY, invocation_id)))
    await context.abort(status.code, status.message, ((DETAILS_KEY, status.details),))
    raise AssertionError("abort returned")
