"""The check of the token that daprd sends with its calls (``APP_API_TOKEN``)."""

from __future__ import annotations

import hmac
import logging
import time

from wasm_grpc.core.errors import InvocationError
from wasm_grpc.core.model import Reason
from wasm_grpc.core.observers import Observers, RequestRefused
from wasm_grpc.dapr.channel import TOKEN_KEY
from wasm_grpc.invocation.environment import Metadata

__all__ = ["TokenCheck"]

_log = logging.getLogger("wasm_grpc.server")

_LOG_EVERY_S = 1.0
"""Shortest time between two log lines, so that a caller without the token can't flood the log."""


class TokenCheck:
    """
    Refuses calls without the expected token.
    """

    def __init__(self, expected: str, observers: Observers) -> None:
        """
        Expect one token. An empty one turns the check off.
        """
        self._expected = expected.encode()
        self._observers = observers
        self._unlogged = 0
        self._logged_s = -_LOG_EVERY_S

    def accepts(self, metadata: Metadata) -> bool:
        """
        Return whether a call with this metadata has the token.
        """
        return not self._expected or any(
            self._is_expected(value) for key, value in metadata if key == TOKEN_KEY
        )

    def check(self, metadata: Metadata, call: str) -> None:
        """
        Refuse a call without the token.

        Args:
            metadata: The call's metadata.
            call: The call's name, for the log.

        Raises:
            InvocationError: UNAUTHENTICATED, which pub/sub retries rather than drops.
        """
        if self.accepts(metadata):
            return
        message = f"metadata {TOKEN_KEY}: missing or wrong; expected the token of this app (APP_API_TOKEN)"
        self._log(f"{call} refused: UNAUTHENTICATED: {message}")
        if RequestRefused in self._observers:
            self._observers.tell(RequestRefused(reason=Reason.UNAUTHENTICATED))
        raise InvocationError(Reason.UNAUTHENTICATED, message)

    def _is_expected(self, value: str | bytes) -> bool:
        # Takes the same time wherever the values differ, so that the token can't be guessed byte by byte.
        return hmac.compare_digest(value.encode() if isinstance(value, str) else value, self._expected)

    def _log(self, line: str) -> None:
        now_s = time.monotonic()
        if now_s - self._logged_s < _LOG_EVERY_S:
            self._unlogged += 1
            return
        more = f" (and {self._unlogged} more calls since the last such line)" if self._unlogged else ""
        _log.warning("%s%s", line, more)
        self._logged_s, self._unlogged = now_s, 0
