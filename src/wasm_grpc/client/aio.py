"""The asyncio client."""

from __future__ import annotations

import asyncio
import os
import weakref
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from contextlib import suppress

import grpc

from wasm_grpc.client.errors import FunctionError, error_of
from wasm_grpc.client.messages import METHOD, Answer, Header, Metadata, Piece, cut, request_header
from wasm_grpc.client.reading import Reading
from wasm_grpc.client.source import Body, Source
from wasm_grpc.client.target import target_of
from wasm_grpc.dapr.channel import open_channel
from wasm_grpc.v1 import functions_pb2

__all__ = ["FunctionError", "FunctionsClient", "Header", "Stream"]

_Call = grpc.aio.StreamStreamCall[functions_pb2.InvokeRequest, functions_pb2.InvokeResponse]


class FunctionsClient:
    """
    A client of an app's functions, through this process's sidecar, or of a server directly.

    ::

        async with FunctionsClient("redactor") as functions:
            async for chunk in functions.stream("redact", open("big.log", "rb")):
                sys.stdout.buffer.write(chunk)

    Use it from one event loop. Concurrent calls share its one connection.
    """

    def __init__(self, app_id: str = "", *, address: str = "", token: str | None = None) -> None:
        """
        Store the address. The first call opens the connection, on the loop that is running then.

        Args:
            app_id: The app, for calls through the sidecar.
            address: With an app id: address of the sidecar, by default ``DAPR_GRPC_ENDPOINT``, or
                ``DAPR_GRPC_PORT`` on this machine. Without an app id: address of the server.
            token: API token; by default ``DAPR_API_TOKEN`` for the sidecar, ``APP_API_TOKEN`` for a server.

        Raises:
            ConfigError: There is neither an app id nor an address, or the address is invalid.
        """
        self._target = target_of(app_id, address=address, token=token, environ=os.environ)
        self._channel: grpc.aio.Channel | None = None
        self._streams: weakref.WeakSet[Stream] = weakref.WeakSet()

    async def __aenter__(self) -> FunctionsClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def stream(
        self,
        method: str,
        body: Body | AsyncIterable[Piece] = b"",
        *,
        verb: str = "POST",
        query: str = "",
        content_type: str = "",
        metadata: Metadata = (),
        timeout_s: float | None = None,
    ) -> Stream:
        """
        Call a method. The body is sent as it becomes available, and the result arrives as it is written.

        The next piece of the body is read once flow control has accepted the last one. An async iterable is
        read here, a file or another iterable on a thread, so that nothing blocks the loop. If the function
        ends before it has read the whole body, reading stops, and the last piece may be lost. A file is
        not closed.

        Args:
            method: The method, as in a trigger of the function's manifest.
            body: Bytes, a binary file, or an iterable of bytes, async or not.
            verb: HTTP verb.
            query: Query string without the leading "?".
            content_type: Media type of the body.
            metadata: Metadata, which the function gets as ``HTTP_<NAME>`` variables.
            timeout_s: Deadline of the whole call.

        Raises:
            TypeError: The body has an unsupported type.
        """
        header = request_header(method, verb=verb, query=query, content_type=content_type, metadata=metadata)
        pieces = _pieces(body)
        if self._channel is None:
            self._channel = open_channel(self._target.endpoint)
        invoke: grpc.aio.StreamStreamMultiCallable[
            functions_pb2.InvokeRequest, functions_pb2.InvokeResponse
        ] = self._channel.stream_stream(
            METHOD,
            request_serializer=functions_pb2.InvokeRequest.SerializeToString,
            response_deserializer=functions_pb2.InvokeResponse.FromString,
        )
        call = invoke(timeout=timeout_s, metadata=self._target.metadata)
        stream = Stream(call, _Sending(call, header, pieces))
        self._streams.add(stream)
        return stream

    async def aclose(self) -> None:
        """
        Close the connection. Running calls are cancelled.
        """
        for stream in list(self._streams):
            await stream.aclose()
        if self._channel is not None:
            await self._channel.close()


class Stream(AsyncIterator[bytes]):
    """
    The result of one call, in chunks as they arrive. One task iterates over it. Any task may call `cancel`.

    After the last chunk it raises the error of a failed call:

    * `FunctionError`: The call failed, or the server broke the protocol.
    * The original exception of the body's source, if that failed. The call is cancelled then.

    Leaving an `async with` block early cancels the call, and so does dropping the last reference.
    """

    def __init__(self, call: _Call, sending: _Sending) -> None:
        self._call = call
        self._sending = sending
        self._answer = Answer()
        self._is_cancelled = False

    def __del__(self) -> None:
        # The sending task keeps the call alive, which would otherwise cancel itself.
        self._call.cancel()

    async def __aenter__(self) -> Stream:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def __anext__(self) -> bytes:
        while (response := await self._next_response()) is not None:
            if chunk := self._take(response):
                return chunk
        raise StopAsyncIteration

    async def read(self) -> bytes:
        """
        Wait for the end, and return the rest of the result.
        """
        return b"".join([chunk async for chunk in self])

    async def header(self) -> Header:
        """
        Wait for the response's header and return it. No chunk is consumed.
        """
        while self._answer.header is None:
            if (response := await self._next_response()) is not None:
                self._take(response)
        return self._answer.header

    def cancel(self) -> None:
        """
        Stop the function. Does nothing after the end of the call.
        """
        self._is_cancelled = True
        self._call.cancel()

    async def aclose(self) -> None:
        """
        Stop the function if it still runs, and wait until the body is no longer read.
        """
        self.cancel()
        await self._sending.wait_closed()

    def _take(self, response: functions_pb2.InvokeResponse) -> bytes:
        try:
            return self._answer.take(response)
        except FunctionError:
            self.cancel()
            raise

    async def _next_response(self) -> functions_pb2.InvokeResponse | None:
        """
        Return the server's next message, or None if the call has succeeded.
        """
        try:
            response = await self._call.read()
        except grpc.aio.AioRpcError as exc:
            raise error_of(exc, self._answer.invocation_id) from exc
        except asyncio.CancelledError:
            # Either the call was cancelled, or the task that waits here.
            if _is_cancelling() or not (self._is_cancelled or self._sending.failure):
                raise
        else:
            if isinstance(response, functions_pb2.InvokeResponse):
                return response
            self._answer.end()
            return None
        # Raised outside the `except` block, so that the exception gets no additional context.
        raise self._sending.failure or FunctionError(
            grpc.StatusCode.CANCELLED, "the call was cancelled here", invocation_id=self._answer.invocation_id
        )


class _Sending:
    """
    Sends the requests of one call in a task, which ends with the call.

    Attributes:
        failure: The exception of the body's source.
    """

    def __init__(
        self, call: _Call, header: functions_pb2.InvokeRequest, pieces: AsyncIterable[Piece]
    ) -> None:
        self._call = call
        # Not `call.write`: if the server ends the call meanwhile, as when a function needs no more input,
        # it replaces the server's status by INTERNAL (grpc/grpc#36066, seen with 1.85.1).
        inner = call._cython_call  # type: ignore[attr-defined] # noqa: SLF001
        self._send_message: Callable[[bytes], Awaitable[None]] = inner.send_serialized_message
        self.failure: BaseException | None = None
        self._task = asyncio.create_task(self._send(header, pieces))
        call.add_done_callback(self._stop)

    async def wait_closed(self) -> None:
        """
        Wait for the task to end.
        """
        await asyncio.wait([self._task])

    def _stop(self, _: object) -> None:
        self._task.cancel()

    async def _send(self, header: functions_pb2.InvokeRequest, pieces: AsyncIterable[Piece]) -> None:
        try:
            if not (await self._has_connected() and await self._write(header)):
                return
            async for piece in pieces:
                for request in cut(piece):
                    if not await self._write(request):
                        return
            await self._end()
        except BaseException as exc:  # noqa: BLE001 - raised to the consumer of the result
            # The end of the call cancels this task. Any exception before that is from the source.
            if not self._call.done():
                self.failure = exc
                self._call.cancel()
        finally:
            if isinstance(pieces, Reading):
                pieces.close()

    # If the call has ended, these return False or nothing: the consumer of the result gets the error.

    async def _has_connected(self) -> bool:
        try:
            await self._call.wait_for_connection()
        except grpc.aio.AioRpcError:
            return False
        return True

    async def _write(self, request: functions_pb2.InvokeRequest) -> bool:
        try:
            await self._send_message(request.SerializeToString())
        except grpc.aio.InternalError:
            return False
        return True

    async def _end(self) -> None:
        with suppress(grpc.aio.InternalError):
            await self._call.done_writing()


def _pieces(body: Body | AsyncIterable[Piece]) -> AsyncIterable[Piece]:
    if isinstance(body, AsyncIterable):
        return body
    if isinstance(body, bytes | bytearray | memoryview):
        return _at_once(body)
    return Reading(Source(body))


async def _at_once(piece: Piece) -> AsyncIterator[Piece]:
    yield piece


def _is_cancelling() -> bool:
    """
    Return whether the current task is being cancelled. CPython 3.10 can't tell.
    """
    cancelling = getattr(asyncio.current_task(), "cancelling", None)
    return cancelling is not None and cancelling() > 0
