"""The connection to the sidecar's gRPC API, as everything that keeps one needs it."""

from __future__ import annotations

import grpc

from wasm_grpc.dapr.endpoint import parse_endpoint

__all__ = ["CHANNEL_OPTIONS", "TOKEN_KEY", "open_channel"]

TOKEN_KEY = "dapr-api-token"
"""Metadata key that daprd and Dapr's SDKs use, from the app to its sidecar and back."""
CHANNEL_OPTIONS = (
    # daprd restarts within a second: gRPC's own waits, 1 s and up to 2 minutes, would outlast it by far.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2000),
    # The sidecar has a limit of its own, which its operator sets.
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
)


def open_channel(endpoint: str) -> grpc.aio.Channel:
    """
    Make a channel to a sidecar, which need not be there yet; the caller closes it.

    Raises:
        ConfigError: The endpoint can't be read.
    """
    parsed = parse_endpoint(endpoint)
    if parsed.is_secure:
        return grpc.aio.secure_channel(parsed.target, grpc.ssl_channel_credentials(), options=CHANNEL_OPTIONS)
    return grpc.aio.insecure_channel(parsed.target, options=CHANNEL_OPTIONS)
