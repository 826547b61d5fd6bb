"""The client for callers on an asyncio event loop."""

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
    The functions of an app, through this process's sidecar; or those of a server, at its address.

    ::

        async with FunctionsClient("redactor") as functions:
            async for chunk in functions.stream("redact", open("big.log", "rb")):
                sys.stdout.buffer.write(chunk)

    One event loop uses it; calls may run side by side over its one connection.
    """

    def __init__(self, app_id: str = "", *, address: str = "", token: str | None = None) -> None:
        """
        Take the address; the connection is made with the first call, on the loop that is running then.

        Args:
            app_id: The app, for calls through the sidecar.
            address: Of the sidecar; without it ``DAPR_GRPC_ENDPOINT``, or ``DAPR_GRPC_PORT`` on this
                machine. Without an app id: of the server.
            token: Without it ``DAPR_API_TOKEN`` for the sidecar, ``APP_API_TOKEN`` for a server.

        Raises:
            ConfigError: There is neither an app id nor an address, or the address can't be read.
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
        Call a method: the body is sent as it comes, the result comes as the function writes it.

        A piece of the body is taken whenever the last one has found room on its way: from an async
        iterable here, from a file or another iterable on a thread, so that nothing blocks the loop.
        A function may end before it has read all of it; then no more is taken, and a piece that was may
        be lost. A file is read, not closed.

        Args:
            method: As in a trigger of the function's manifest.
            body: Bytes, a binary file, or an iterable of bytes, async or not.
            verb: HTTP verb.
            query: Without the leading "?".
            content_type: Media type of the body.
            metadata: What the function gets as ``HTTP_<NAME>``.
            timeout_s: The longest that the whole call may take.

        Raises:
            TypeError: The body is nothing that can be sent.
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
        Close the connection; calls that still run are cancelled.
        """
        for stream in list(self._streams):
            await stream.aclose()
        if self._channel is not None:
            await self._channel.close()


class Stream(AsyncIterator[bytes]):
    """
    The result of one call, in chunks as they come. One task takes them; any may call `cancel`.

    After the last chunk it raises what the call failed with:

    * `FunctionError`: The call failed, or the server broke the protocol.
    * What the body's own source raised, as it was; the call is cancelled then.

    An `async with` block that is left early cancels the call, and so does letting go of the stream.
    """

    def __init__(self, call: _Call, sending: _Sending) -> None:
        self._call = call
        self._sending = sending
        self._answer = Answer()
        self._is_cancelled = False

    def __del__(self) -> None:
        # The sending task would keep the call, which else cancels itself.
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
        Return all of the result that hasn't been taken yet, once it is there.
        """
        return b"".join([chunk async for chunk in self])

    async def header(self) -> Header:
        """
        Return the answer's header, once it has come; chunks are taken as before.
        """
        while self._answer.header is None:
            if (response := await self._next_response()) is not None:
                self._take(response)
        return self._answer.header

    def cancel(self) -> None:
        """
        Stop the function; does nothing once the call has ended.
        """
        self._is_cancelled = True
        self._call.cancel()

    async def aclose(self) -> None:
        """
        Stop the function unless it has ended, and wait until nothing of the body is taken any more.
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
        Return the server's next message, or None where the call has ended well.
        """
        try:
            response = await self._call.read()
        except grpc.aio.AioRpcError as exc:
            raise error_of(exc, self._answer.invocation_id) from exc
        except asyncio.CancelledError:
            # Of the call, or of the task that waits here.
            if _is_cancelling() or not (self._is_cancelled or self._sending.failure):
                raise
        else:
            if isinstance(response, functions_pb2.InvokeResponse):
                return response
            self._answer.end()
            return None
        # Here, where a failure gets no context that it hadn't where it was raised.
        raise self._sending.failure or FunctionError(
            grpc.StatusCode.CANCELLED, "the call was cancelled here", invocation_id=self._answer.invocation_id
        )


class _Sending:
    """
    Sends the requests of one call as a task, which ends with the call.

    Attributes:
        failure: What the body's source raised.
    """

    def __init__(
        self, call: _Call, header: functions_pb2.InvokeRequest, pieces: AsyncIterable[Piece]
    ) -> None:
        self._call = call
        # Not `call.write`: where the server ends the call meanwhile, as a function may that has enough,
        # it puts INTERNAL in place of the server's status (grpc/grpc#36066, seen with 1.85.1).
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
        except BaseException as exc:  # noqa: BLE001 - raised where the result is taken
            # The end of the call cancels this task; before that, whatever comes is the source's.
            if not self._call.done():
                self.failure = exc
                self._call.cancel()
        finally:
            if isinstance(pieces, Reading):
                pieces.close()

    # Of these three, False and silence say that the call has ended: whoever takes the result learns how.

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
    Say whether somebody has cancelled the current task; CPython 3.10 can't tell.
    """
    cancelling = getattr(asyncio.current_task(), "cancelling", None)
    return cancelling is not None and cancelling() > 0
