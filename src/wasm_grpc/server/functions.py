"""The service ``wasm_grpc.v1.Functions``, which daprd proxies: gRPC streams to and from functions."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Mapping
from typing import Any, TypeVar

import grpc

from wasm_grpc.core.errors import InvocationError
from wasm_grpc.core.metadata import is_key, join_values
from wasm_grpc.core.model import KIB, Reason
from wasm_grpc.invocation.environment import Metadata
from wasm_grpc.invocation.triggers.invoke import Request
from wasm_grpc.invocation.triggers.stream import StreamedCall, Streams
from wasm_grpc.manifest.keys import Verb
from wasm_grpc.server.calls import Call, Calls
from wasm_grpc.server.failures import Context, internal_error
from wasm_grpc.server.gate import Gate
from wasm_grpc.v1 import functions_pb2 as pb

__all__ = ["SERVICE", "Functions", "add_functions"]

SERVICE: str = pb.DESCRIPTOR.services_by_name["Functions"].full_name

_CALL = "Functions.Invoke"
_HEADER_S = 30.0
"""Longest wait for a call's header, which names the method. Until it arrives no worker is occupied."""
_CANCELLATION_TURNS = 4
"""Turns of the event loop: for the notification, for the call's task, for the feeder, and one to spare."""
_METADATA_BYTES = 64 * KIB
"""Limit on a header's metadata, the same as on the call's own."""
_VALUE = re.compile(r"[^\0-\x1f\x7f]*")
_SET_COOKIE = "set-cookie"
_RESERVED_PREFIXES = ("dapr-", "grpc-")
"""Keys that only daprd and gRPC may set, since they identify the caller."""

_Requests = AsyncIterator[pb.InvokeRequest]
_Result = TypeVar("_Result")


class Functions:
    """
    The servicer of ``wasm_grpc.v1.Functions``.
    """

    def __init__(self, streams: Streams, calls: Calls) -> None:
        """
        Serve one app.

        Args:
            streams: Runs streamed invocations.
            calls: Lets the calls in.
        """
        self._streams = streams
        self._calls = calls

    async def Invoke(self, requests: _Requests, context: Context) -> None:
        """
        Run the function that the header names, with streamed input and output.
        """
        invocation_id = self._streams.next_id()
        async with self._calls.invocation(context, _CALL, invocation_id) as call:
            requests = aiter(requests)
            request = await self._request(requests, call)
            # Leaving this block for any reason stops the guest.
            async with self._streams.open(request, invocation_id) as stream:
                await stream.started()
                async with _feeding(stream, requests, context, invocation_id):
                    response = await stream.header()
                    call.has_answered = True
                    header = pb.ResponseHeader(
                        content_type=response.content_type,
                        metadata=join_values(pair for pair in response.headers if pair[0] != _SET_COOKIE),
                        invocation_id=invocation_id,
                        set_cookies=[value for name, value in response.headers if name == _SET_COOKIE],
                    )
                    await _write(context, pb.InvokeResponse(header=header))
                    async for chunk in stream.chunks():
                        await _write(context, pb.InvokeResponse(chunk=chunk))

    async def _request(self, requests: _Requests, call: Call) -> Request:
        """
        Return the request that the header makes.

        Raises:
            InvocationError: There is no valid one, see `_header`; the observers have been told.
        """
        try:
            return _request(await self._header(requests), call.metadata)
        except InvocationError as exc:
            call.tell_refusal(exc.reason)
            raise

    async def _header(self, requests: _Requests) -> pb.RequestHeader:
        """
        Return the header, which is the first message.

        Raises:
            InvocationError: It is none, or did not come in time or before the server drains: a stream without
                one runs nothing that a drain would wait for.
        """
        async with _owned(anext(requests, None)) as coming, _owned(self._streams.refusal()) as refusal:
            either: list[asyncio.Future[Any]] = [coming, refusal]
            await asyncio.wait(either, timeout=_HEADER_S, return_when=asyncio.FIRST_COMPLETED)
            if not coming.done():
                if refusal.done():
                    raise refusal.result()
                raise InvocationError(
                    Reason.INVALID_REQUEST,
                    f"no header came within {_HEADER_S:g} s; expected it as the first message",
                )
            first = coming.result()
        if first is None or first.WhichOneof("part") != "header":
            what = "no message came" if first is None else "the first message has no header"
            raise InvocationError(
                Reason.INVALID_REQUEST, f"{what}; expected a header with the method, then chunks"
            )
        return first.header


def add_functions(functions: Functions, gate: Gate, calls: Calls) -> None:
    """
    Serve the service.
    """
    # Registered by hand, so that no code generated by grpcio-tools is needed for one method.
    invoke = grpc.stream_stream_rpc_method_handler(
        functions.Invoke,
        request_deserializer=pb.InvokeRequest.FromString,
        response_serializer=pb.InvokeResponse.SerializeToString,
    )
    gate.add(f"/{SERVICE}/Invoke", invoke, calls.admission(_CALL, is_event=False))


@contextlib.asynccontextmanager
async def _owned(work: Awaitable[_Result]) -> AsyncIterator[asyncio.Future[_Result]]:
    """
    Do `work` beside; what is left of it at the end is cancelled.
    """
    task = asyncio.ensure_future(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            # Else asyncio would log it as one that nobody has seen.
            task.exception()


@contextlib.asynccontextmanager
async def _feeding(
    call: StreamedCall, requests: _Requests, context: Context, invocation_id: str
) -> AsyncIterator[None]:
    """
    Send the caller's chunks to the guest while the context is open.
    """
    feeder = asyncio.create_task(
        _feed(call, requests, context, invocation_id), name=f"input of {invocation_id}"
    )
    try:
        yield
    finally:
        feeder.cancel()
        # Not awaited directly, which would raise its CancelledError here.
        await asyncio.wait([feeder])


async def _feed(call: StreamedCall, requests: _Requests, context: Context, invocation_id: str) -> None:
    try:
        async for request in requests:
            chunk = request.chunk
            if not chunk and request.WhichOneof("part") != "chunk":
                call.stop(
                    Reason.INVALID_REQUEST,
                    "its caller sent a message without a chunk after the header; expected chunks",
                )
                return
            # To the worker an empty chunk means the end of input, so an empty one is dropped.
            if chunk and not await call.send(chunk):
                return
        await _rule_out_cancellation(context)
        await call.end_input()
    except grpc.aio.BaseError:
        call.stop(Reason.CANCELLED, "its caller is gone")
    except Exception:  # noqa: BLE001 - the edge of its task
        internal_error(f"invocation {invocation_id}")
        call.stop(Reason.INTERNAL, "internal error")


async def _write(context: Context, response: pb.InvokeResponse) -> None:
    """
    Send a message once there is room for it. Raises CancelledError if the call is over.
    """
    try:
        await context.write(response)
    except grpc.aio.BaseError as exc:
        # grpc.aio raises this if the call ends while a message waits, and cancels the call a moment later;
        # or if the server has stopped.
        raise asyncio.CancelledError from exc


async def _rule_out_cancellation(context: Context) -> None:
    """
    Return once it is certain that the caller ended its input, and did not disconnect.

    grpc.aio ends the request iterator in the same way when the caller disconnects as when it is done, and
    cancels the call only a moment later. By then the guest would have taken half of its input for all of
    it. Another read is queued behind the cancellation notice, so it returns after it. The turns of the
    event loop then let the cancellation reach this task.
    """
    await context.read()
    for _ in range(_CANCELLATION_TURNS):
        await asyncio.sleep(0)


def _request(header: pb.RequestHeader, metadata: Metadata) -> Request:
    """
    Return the request of a call's header and metadata.

    Raises:
        InvocationError: INVALID_REQUEST.
    """
    if header.verb and header.verb not in Verb.__members__:
        raise _bad_header(
            f"verb {header.verb[:20]!r} is unknown", f"{', '.join(Verb.__members__)} or nothing"
        )
    own = dict(header.metadata)
    _check_metadata(own)
    return Request(
        method=header.method,
        verb=header.verb,
        query=header.query,
        content_type=header.content_type,
        body=b"",
        metadata=(*(entry for entry in metadata if entry[0] not in own), *own.items()),
    )


def _check_metadata(metadata: Mapping[str, str]) -> None:
    if sum(len(key) + len(value) for key, value in metadata.items()) > _METADATA_BYTES:
        raise _bad_header("metadata is too long", f"at most {_METADATA_BYTES} characters")
    for key, value in metadata.items():
        shown = repr(key[:60])
        if not is_key(key):
            raise _bad_header(
                f"metadata {shown} is not a valid key", "lower-case letters, digits, '-', '_' and '.'"
            )
        if key.startswith(_RESERVED_PREFIXES) or key.endswith("-bin"):
            raise _bad_header(f"metadata {shown} is reserved", "a key without dapr-, grpc- or -bin")
        if not _VALUE.fullmatch(value):
            raise _bad_header(f"metadata {shown} has a control character in its value", "text without one")


def _bad_header(fault: str, expected: str) -> InvocationError:
    return InvocationError(Reason.INVALID_REQUEST, f"header: {fault}; expected {expected}")
