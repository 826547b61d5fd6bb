"""The functions behind the page: which there are, and how one is called through the sidecar."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import grpc
from dapr.proto.common.v1 import common_pb2
from dapr.proto.runtime.v1 import dapr_pb2_grpc, invoke_pb2

from wasm_grpc.dapr.channel import TOKEN_KEY, open_channel
from wasm_grpc.dapr.endpoint import parse_endpoint
from wasm_grpc.web.errors import ApiError, error_of

__all__ = ["SERVICES", "Answer", "Services", "open_services", "service_of"]

SERVICES: Mapping[str, str] = {
    "grayscale": "grayscale",
    "classify": "classify",
    "rs": "grayscale",
    "go": "classify",
}
"""Functions by the header ``api``; the last two are the original demo's names."""

_METHOD = "api/image"
_CALL_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """
    What a function answered.
    """

    body: bytes
    content_type: str


class Services:
    """
    The functions, over one connection to the sidecar; calls may run side by side.
    """

    def __init__(self, channel: grpc.aio.Channel, *, token: str) -> None:
        self._stub = dapr_pb2_grpc.DaprStub(channel)
        self._metadata = (("accept", "application/json"), *(((TOKEN_KEY, token),) if token else ()))

    async def call(self, service: str, picture: bytes, content_type: str) -> Answer:
        """
        Hand a picture to a function.

        Raises:
            ApiError: There is no result.
        """
        message = common_pb2.InvokeRequest(method=_METHOD, content_type=content_type)
        message.data.value = picture
        message.http_extension.verb = common_pb2.HTTPExtension.POST
        request = invoke_pb2.InvokeServiceRequest(id=f"image-api-{service}", message=message)
        try:
            response = await self._stub.InvokeService(request, timeout=_CALL_S, metadata=self._metadata)
        except grpc.aio.AioRpcError as exc:
            raise error_of(exc, service) from exc
        return Answer(body=response.data.value, content_type=response.content_type)


def service_of(api: str | None) -> str:
    """
    Give the function that a header names.

    Raises:
        ApiError: The header is missing, or names none.
    """
    if not api:
        raise ApiError(400, "The header 'api' is missing; it says grayscale or classify.")
    if api not in SERVICES:
        raise ApiError(404, "There is no such service; the header 'api' says grayscale or classify.")
    return SERVICES[api]


@contextlib.asynccontextmanager
async def open_services(endpoint: str, *, token: str) -> AsyncIterator[Services]:
    """
    Connect to a sidecar, which need not be there yet.

    Raises:
        ConfigError: The endpoint can't be read.
    """
    async with open_channel(parse_endpoint(endpoint)) as channel:
        yield Services(channel, token=token)
