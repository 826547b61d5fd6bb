"""The apps behind the page, and calls to them through the sidecar."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import grpc
from dapr.proto.common.v1 import common_pb2
from dapr.proto.runtime.v1 import dapr_pb2_grpc, invoke_pb2

from wasm_grpc.dapr.channel import TOKEN_KEY, open_channel
from wasm_grpc.dapr.endpoint import parse_endpoint
from wasm_grpc.web.errors import ApiError, error_of

__all__ = ["NAMES", "Answer", "Services", "open_services", "service_of"]

_GRAYSCALE, _CLASSIFY = "grayscale", "classify"
NAMES = (_GRAYSCALE, _CLASSIFY, "rs", "rust", "rust-wasi-socket", "go")
"""Values of the header ``api``. The original demo's pages send those after the first two."""
_CLASSIFIERS = frozenset({_CLASSIFY, "go"})

_METHOD = "api/image"
_CALL_S = 30.0
_EVENTS_APP, _EVENTS_METHOD = "events-service", "events"
_EVENTS_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """
    A function's response.

    Attributes:
        app_id: The app that was called.
    """

    body: bytes
    content_type: str
    app_id: str


class Services:
    """
    The apps, over one connection to the sidecar. Safe for concurrent calls.
    """

    def __init__(self, channel: grpc.aio.Channel, *, sidecar: str, token: str) -> None:
        """
        Call through a sidecar.

        Args:
            channel: Channel to the sidecar.
            sidecar: Address of the sidecar, for display.
            token: API token of the sidecar, or "".
        """
        self.sidecar = sidecar
        self._stub = dapr_pb2_grpc.DaprStub(channel)
        self._metadata = (("accept", "application/json"), *(((TOKEN_KEY, token),) if token else ()))

    async def call(self, service: str, picture: bytes, content_type: str) -> Answer:
        """
        Send a picture to a function.

        Raises:
            ApiError: The call failed.
        """
        message = common_pb2.InvokeRequest(method=_METHOD, content_type=content_type)
        message.data.value = picture
        message.http_extension.verb = common_pb2.HTTPExtension.POST
        app_id = f"image-api-{service}"
        try:
            response = await self._invoke(app_id, message, timeout_s=_CALL_S)
        except grpc.aio.AioRpcError as exc:
            raise error_of(exc, service) from exc
        return Answer(body=response.data.value, content_type=response.content_type, app_id=app_id)

    async def events(self) -> bytes:
        """
        Return what the functions have reported: the JSON of the events service.

        Raises:
            ApiError: The call failed.
        """
        message = common_pb2.InvokeRequest(method=_EVENTS_METHOD)
        message.http_extension.verb = common_pb2.HTTPExtension.GET
        try:
            response = await self._invoke(_EVENTS_APP, message, timeout_s=_EVENTS_S)
        except grpc.aio.AioRpcError as exc:
            raise ApiError(503, "The events service can't be reached; is it running?") from exc
        return response.data.value

    async def _invoke(
        self, app_id: str, message: common_pb2.InvokeRequest, *, timeout_s: float
    ) -> common_pb2.InvokeResponse:
        request = invoke_pb2.InvokeServiceRequest(id=app_id, message=message)
        call = self._stub.InvokeService(request, timeout=timeout_s, metadata=self._metadata)
        response: common_pb2.InvokeResponse = await call
        return response


def service_of(api: str | None) -> str:
    """
    Return the function that the header ``api`` names. Anything else is grayscale, as in the original demo.
    """
    return _CLASSIFY if api in _CLASSIFIERS else _GRAYSCALE


@contextlib.asynccontextmanager
async def open_services(endpoint: str, *, token: str) -> AsyncIterator[Services]:
    """
    Open a channel to a sidecar, which need not run yet.

    Raises:
        ConfigError: The endpoint is invalid.
    """
    async with open_channel(parse_endpoint(endpoint)) as channel:
        yield Services(channel, sidecar=endpoint, token=token)
