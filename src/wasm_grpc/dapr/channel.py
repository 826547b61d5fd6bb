"""The connection to the sidecar's gRPC API, as everything that keeps one needs it."""

from __future__ import annotations

import grpc

from wasm_grpc.dapr.endpoint import Endpoint

__all__ = ["CHANNEL_OPTIONS", "TOKEN_KEY", "Options", "open_blocking_channel", "open_channel"]

Options = tuple[tuple[str, int], ...]
"""Of a channel, by gRPC's names (its ``channel_arg_names.h``)."""

TOKEN_KEY = "dapr-api-token"
"""Metadata key that daprd and Dapr's SDKs use, from the app to its sidecar and back."""
CHANNEL_OPTIONS: Options = (
    # daprd restarts within a second: gRPC's own waits, 1 s and up to 2 minutes, would outlast it by far.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2000),
    # The sidecar has a limit of its own, which its operator sets.
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
)


def open_channel(endpoint: Endpoint) -> grpc.aio.Channel:
    """
    Make a channel, whose other end need not be there yet; the caller closes it.
    """
    if endpoint.is_secure:
        credentials = grpc.ssl_channel_credentials()
        return grpc.aio.secure_channel(endpoint.target, credentials, options=CHANNEL_OPTIONS)
    return grpc.aio.insecure_channel(endpoint.target, options=CHANNEL_OPTIONS)


def open_blocking_channel(endpoint: Endpoint, options: Options = CHANNEL_OPTIONS) -> grpc.Channel:
    """
    Make a channel for callers without an event loop; the caller closes it.
    """
    if endpoint.is_secure:
        return grpc.secure_channel(endpoint.target, grpc.ssl_channel_credentials(), options=options)
    return grpc.insecure_channel(endpoint.target, options=options)
