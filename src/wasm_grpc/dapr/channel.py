"""Channels to the sidecar's gRPC API."""

from __future__ import annotations

import grpc

from wasm_grpc.dapr.endpoint import Endpoint

__all__ = ["CHANNEL_OPTIONS", "TOKEN_KEY", "Options", "open_blocking_channel", "open_channel"]

Options = tuple[tuple[str, int], ...]
"""Options of a channel, by gRPC's names (``channel_arg_names.h``)."""

TOKEN_KEY = "dapr-api-token"
"""Metadata key of the API token, in both directions between an app and its sidecar."""
CHANNEL_OPTIONS: Options = (
    # daprd restarts within a second. gRPC's default back-off, 1 s up to 2 minutes, would be far too long.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2000),
    # No limit here: the sidecar's operator sets one there.
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
)


def open_channel(endpoint: Endpoint, options: Options = CHANNEL_OPTIONS) -> grpc.aio.Channel:
    """
    Open a channel. The sidecar need not run yet. The caller closes the channel.
    """
    if endpoint.is_secure:
        credentials = grpc.ssl_channel_credentials()
        return grpc.aio.secure_channel(endpoint.target, credentials, options=options)
    return grpc.aio.insecure_channel(endpoint.target, options=options)


def open_blocking_channel(endpoint: Endpoint, options: Options = CHANNEL_OPTIONS) -> grpc.Channel:
    """
    Open a channel for code without an event loop. The caller closes the channel.
    """
    if endpoint.is_secure:
        return grpc.secure_channel(endpoint.target, grpc.ssl_channel_credentials(), options=options)
    return grpc.insecure_channel(endpoint.target, options=options)
