"""The ``google.rpc.ErrorInfo`` that the server sends with a failure, and how a client reads it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

__all__ = ["DETAILS_KEY", "ERROR_DOMAIN", "error_info_of"]

DETAILS_KEY = "grpc-status-details-bin"
"""Trailing metadata with a serialised ``google.rpc.Status`` (gRPC's richer error model)."""
ERROR_DOMAIN = "wasm-grpc"
"""``domain`` of every ``ErrorInfo`` that this server sends."""


def error_info_of(trailing_metadata: Iterable[Any]) -> error_details_pb2.ErrorInfo | None:
    """
    Return the ``ErrorInfo`` that this server sent with a failure, or None if there is none.
    """
    for key, value in trailing_metadata:
        if key != DETAILS_KEY or not isinstance(value, bytes):
            continue
        info = error_details_pb2.ErrorInfo()
        try:
            details = status_pb2.Status.FromString(value).details
            if any(detail.Unpack(info) and info.domain == ERROR_DOMAIN for detail in details):
                return info
        except DecodeError:
            # Not ours, perhaps a proxy's. The status itself still says what is wrong.
            continue
    return None
