"""The error of a failed call: the gRPC status, and details from the server's ``ErrorInfo``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

import grpc
from google.rpc import error_details_pb2

from wasm_grpc.core.errors import WasmGrpcError
from wasm_grpc.dapr.details import error_info_of

__all__ = ["FunctionError", "error_of"]


class FunctionError(WasmGrpcError):
    """
    A call failed. Chunks received before it are an incomplete result.

    Attributes:
        code: The gRPC status.
        message: The text for logs and people; also the exception's text.
        reason: Why the invocation failed, such as ``TRAPPED``; "" if a wasm-grpc server didn't report it.
        function: The function's name, or "".
        limit: The manifest key of the limit that was reached (``limits.timeout``), or "".
        invocation_id: The call's id in the server's log, or "".
    """

    def __init__(
        self,
        code: grpc.StatusCode,
        message: str,
        *,
        reason: str = "",
        function: str = "",
        limit: str = "",
        invocation_id: str = "",
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.reason = reason
        self.function = function
        self.limit = limit
        self.invocation_id = invocation_id


class Failure(Protocol):
    """
    An error of gRPC, blocking or asyncio.
    """

    def code(self) -> grpc.StatusCode:
        """
        Return the status.
        """

    def details(self) -> str | None:
        """
        Return the status message.
        """

    def trailing_metadata(self) -> Iterable[Any] | None:
        """
        Return the trailing metadata.
        """


def error_of(failure: Failure, invocation_id: str = "") -> FunctionError:
    """
    Return the error of a failed call.

    Args:
        failure: The error that gRPC raised.
        invocation_id: From the response's header, in case the error has none.
    """
    info = error_info_of(failure.trailing_metadata() or ()) or error_details_pb2.ErrorInfo()
    code = failure.code()
    return FunctionError(
        code,
        failure.details() or code.name,
        reason=info.reason,
        function=info.metadata.get("function", ""),
        limit=info.metadata.get("limit", ""),
        invocation_id=info.metadata.get("invocation_id", invocation_id),
    )
