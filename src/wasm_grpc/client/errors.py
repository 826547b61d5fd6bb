"""How a call failed, for its caller: the gRPC status, and what the server's ``ErrorInfo`` adds to it."""

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
    A call ended without its whole result; what came of it before is not the whole.

    Attributes:
        code: The gRPC status.
        message: One text for logs and people; also the error's own.
        reason: How the invocation ended, such as ``TRAPPED``; "" where no server of functions said it.
        function: The function's name, or "".
        limit: The manifest key of the limit that was met (``limits.timeout``), or "".
        invocation_id: Of the server's log, or "".
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
    What gRPC raises, on asyncio or not.
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
        Return what came with the status.
        """


def error_of(failure: Failure, invocation_id: str = "") -> FunctionError:
    """
    Return the error of a failed call.

    Args:
        failure: What gRPC raised.
        invocation_id: From the answer's header, for a failure that doesn't tell it.
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
