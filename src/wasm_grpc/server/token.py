"""The check of the token that daprd sends with its calls (``APP_API_TOKEN``)."""

from __future__ import annotations

import hmac

from wasm_grpc.core.errors import InvocationError
from wasm_grpc.core.model import Reason
from wasm_grpc.dapr.channel import TOKEN_KEY
from wasm_grpc.server.environment import Metadata

__all__ = ["check_token"]


def check_token(expected: str, metadata: Metadata) -> None:
    """
    Refuse a call that doesn't carry the expected token; an empty one asks for nothing.

    Raises:
        InvocationError: UNAUTHENTICATED, which pub/sub retries rather than drops.
    """
    if not expected:
        return
    wanted = expected.encode()
    for key, value in metadata:
        if key == TOKEN_KEY:
            given = value.encode() if isinstance(value, str) else value
            if hmac.compare_digest(given, wanted):
                return
    raise InvocationError(
        Reason.UNAUTHENTICATED,
        f"metadata {TOKEN_KEY}: missing or wrong; expected the token of this app (APP_API_TOKEN)",
    )
