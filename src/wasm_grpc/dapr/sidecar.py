"""A client of the sidecar's gRPC API, on one channel for as long as the server runs."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc
from dapr.proto.runtime.v1 import dapr_pb2_grpc, metadata_pb2
from google.protobuf.message import Message

from wasm_grpc.core.errors import ConfigError, SidecarError
from wasm_grpc.core.model import DAPR_MESSAGE_BYTES, Trace
from wasm_grpc.core.text import escaped
from wasm_grpc.dapr.channel import CHANNEL_OPTIONS, TOKEN_KEY, Options, open_channel
from wasm_grpc.dapr.endpoint import parse_endpoint

__all__ = ["UNREACHABLE", "Metadata", "Sidecar", "describe", "open_sidecar", "trace_metadata"]

Metadata = tuple[tuple[str, str], ...]

_log = logging.getLogger("wasm_grpc.dapr")

UNREACHABLE = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
"""Codes of a call that no sidecar has answered."""
_OPTIONS: Options = (
    *(option for option in CHANNEL_OPTIONS if option[0] != "grpc.max_receive_message_length"),
    # A guest may ask for what is longer. It is refused before it takes memory.
    ("grpc.max_receive_message_length", DAPR_MESSAGE_BYTES),
)


class Sidecar:
    """
    One sidecar; `open_sidecar` makes it. Safe for concurrent calls.
    """

    def __init__(self, channel: grpc.aio.Channel, *, endpoint: str, token: str) -> None:
        self._stub = dapr_pb2_grpc.DaprStub(channel)
        self._endpoint = endpoint
        self._metadata = ((TOKEN_KEY, token),) if token else ()

    async def wait(self, seconds: float) -> str:
        """
        Wait until the sidecar answers, and return its app id.

        Raises:
            SidecarError: It doesn't answer in time, or it refuses the token.
        """
        _log.info("waiting for the sidecar at %s, %g s at most", self._endpoint, seconds)
        began = time.monotonic()
        try:
            answer = await self._stub.GetMetadata(
                metadata_pb2.GetMetadataRequest(),
                timeout=seconds,
                metadata=self._metadata,
                # The sidecar starts at the same time as the app: don't fail on a refused connection.
                wait_for_ready=True,
            )
        except grpc.aio.AioRpcError as exc:
            raise SidecarError(self._refusal(exc.code(), seconds)) from exc
        _log.info("the sidecar of app '%s' answered after %.1f s", answer.id, time.monotonic() - began)
        return str(answer.id)

    async def call(self, method: str, request: Message, *, metadata: Metadata, timeout_s: float) -> Any:
        """
        Call a method of Dapr's API, and return its response.

        Args:
            method: Its name.
            request: Its request.
            metadata: Metadata besides the token.
            timeout_s: Deadline of the call, in seconds.

        Raises:
            grpc.aio.AioRpcError: It failed.
        """
        unary = getattr(self._stub, method)
        return await unary(request, timeout=timeout_s, metadata=(*self._metadata, *metadata))

    def _refusal(self, code: grpc.StatusCode, seconds: float) -> str:
        if code in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED):
            return f"the sidecar at {self._endpoint} refused the token; expected its own in DAPR_API_TOKEN"
        if code in UNREACHABLE:
            return (
                f"no sidecar answered at {self._endpoint} within {seconds:g} s; "
                "expected one at the address in DAPR_GRPC_ENDPOINT or DAPR_GRPC_PORT"
            )
        return f"the sidecar at {self._endpoint} answered {code.name}; expected a Dapr sidecar"


@contextlib.asynccontextmanager
async def open_sidecar(endpoint: str, *, token: str) -> AsyncIterator[Sidecar]:
    """
    Open a channel to a sidecar, which need not run yet.

    Raises:
        ConfigError: The endpoint or the token is invalid.
    """
    # gRPC fails at each call then. A token from a file may end with the file's line.
    if not (token.isascii() and token.isprintable()):
        raise ConfigError("DAPR_API_TOKEN: has a control character or is not ASCII; expected what daprd has")
    async with open_channel(parse_endpoint(endpoint), _OPTIONS) as channel:
        yield Sidecar(channel, endpoint=endpoint, token=token)


def describe(error: grpc.aio.AioRpcError) -> str:
    """
    Return the code and message of a failed call, on one printable line, for a log or an operator.

    The message may come from another app, and may name hosts of a component: it isn't for callers.
    """
    return f"{error.code().name}: {escaped(error.details() or '')}"


def trace_metadata(trace: Trace) -> Metadata:
    """
    Return the metadata that puts a call on a trace (W3C Trace Context).
    """
    pairs = (("traceparent", trace.parent), ("tracestate", trace.state))
    return tuple((key, value) for key, value in pairs if value)
