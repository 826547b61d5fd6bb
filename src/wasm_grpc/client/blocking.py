"""The blocking client."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterator, Mapping
from types import TracebackType

import grpc

from wasm_grpc.client.errors import FunctionError, error_of
from wasm_grpc.client.messages import METHOD, Answer, Header, Metadata, cut, request_header
from wasm_grpc.client.source import Body, Source
from wasm_grpc.client.target import target_of
from wasm_grpc.dapr.channel import open_blocking_channel
from wasm_grpc.v1 import functions_pb2

__all__ = ["FunctionsClient", "Stream"]


class FunctionsClient:
    """
    A client of an app's functions, through this process's sidecar, or of a server directly.

    ::

        with FunctionsClient("redactor") as functions:
            for chunk in functions.stream("redact", open("big.log", "rb")):
                sys.stdout.buffer.write(chunk)

    Safe to use from any thread. Concurrent calls share its one connection.
    """

    def __init__(self, app_id: str = "", *, address: str = "", token: str | None = None) -> None:
        """
        Store the address. The first call opens the connection.

        Args:
            app_id: The app, for calls through the sidecar.
            address: With an app id: address of the sidecar, by default ``DAPR_GRPC_ENDPOINT``, or
                ``DAPR_GRPC_PORT`` on this machine. Without an app id: address of the server.
            token: API token; by default ``DAPR_API_TOKEN`` for the sidecar, ``APP_API_TOKEN`` for a server.

        Raises:
            ConfigError: There is neither an app id nor an address, or the address is invalid.
        """
        target = target_of(app_id, address=address, token=token, environ=os.environ)
        self._metadata = target.metadata
        self._channel = open_blocking_channel(target.endpoint)
        self._invoke = self._channel.stream_stream(
            METHOD,
            request_serializer=functions_pb2.InvokeRequest.SerializeToString,
            response_deserializer=functions_pb2.InvokeResponse.FromString,
        )

    def __enter__(self) -> FunctionsClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def stream(
        self,
        method: str,
        body: Body = b"",
        *,
        verb: str = "POST",
        query: str = "",
        content_type: str = "",
        metadata: Metadata = (),
        timeout_s: float | None = None,
    ) -> Stream:
        """
        Call a method. The body is sent as it becomes available, and the result arrives as it is written.

        The body is read on a thread of gRPC, the next piece once flow control has accepted the last one. If
        the function ends before it has read the whole body, reading stops, and the last piece may be lost.
        A file is not closed.

        Args:
            method: The method, as in a trigger of the function's manifest.
            body: Bytes, a binary file, or an iterable of bytes.
            verb: HTTP verb.
            query: Query string without the leading "?".
            content_type: Media type of the body.
            metadata: Metadata, which the function gets as ``HTTP_<NAME>`` variables.
            timeout_s: Deadline of the whole call.

        Raises:
            TypeError: The body has an unsupported type.
        """
        header = request_header(method, verb=verb, query=query, content_type=content_type, metadata=metadata)
        sending = _Sending(header, Source(body))
        call = self._invoke(sending.requests(), timeout=timeout_s, metadata=self._metadata)
        sending.begin(call)
        return Stream(call, sending)

    def close(self) -> None:
        """
        Close the connection. Running calls are cancelled.
        """
        self._channel.close()


class Stream(Iterator[bytes]):
    """
    The result of one call, in chunks as they arrive. Use it from one thread. Any thread may call `cancel`.

    After the last chunk it raises the error of a failed call:

    * `FunctionError`: The call failed, or the server broke the protocol.
    * The original exception of the body's source, if that failed. The call is cancelled then.

    Leaving a `with` block early cancels the call, and so does dropping the last reference.
    """

    def __init__(self, call: grpc._CallIterator[functions_pb2.InvokeResponse], sending: _Sending) -> None:
        self._call = call
        self._sending = sending
        self._answer = Answer()

    def __enter__(self) -> Stream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cancel()

    def __next__(self) -> bytes:
        while True:
            if chunk := self._take():
                return chunk

    def read(self) -> bytes:
        """
        Wait for the end, and return the rest of the result.
        """
        return b"".join(self)

    def cancel(self) -> None:
        """
        Stop the function. Does nothing after the end of the call.
        """
        self._call.cancel()

    @property
    def header(self) -> Header:
        """
        The response's header. Waits until it has arrived.
        """
        while self._answer.header is None:
            self._take()
        return self._answer.header

    @property
    def content_type(self) -> str:
        """
        Media type of the result. Waits for the header.
        """
        return self.header.content_type

    @property
    def metadata(self) -> Mapping[str, str]:
        """
        Metadata from the function. Waits for the header.
        """
        return self.header.metadata

    @property
    def invocation_id(self) -> str:
        """
        The call's id in the server's log. Waits for the header.
        """
        return self.header.invocation_id

    def _take(self) -> bytes:
        """
        Return the next message's part of the result, which may be b"".
        """
        failure: BaseException
        try:
            return self._answer.take(next(self._call))
        except StopIteration:
            self._answer.end()
            raise
        except FunctionError:
            self.cancel()
            raise
        except grpc.RpcError as exc:
            if self._sending.failure is None or exc.code() is not grpc.StatusCode.CANCELLED:
                raise error_of(exc, self._answer.invocation_id) from exc
            failure = self._sending.failure
        # Raised outside the `except` block, so that the exception gets no additional context.
        raise failure


class _Sending:
    """
    The requests of one call, which gRPC reads on its own thread.

    Attributes:
        failure: The exception of the body's source.
    """

    def __init__(self, header: functions_pb2.InvokeRequest, source: Source) -> None:
        self._header = header
        self._source = source
        self._has_begun = threading.Event()
        self._call: weakref.ref[grpc.RpcContext] | None = None
        self.failure: BaseException | None = None

    def begin(self, call: grpc.RpcContext) -> None:
        """
        Attach the call. Its end ends the source's waits.
        """
        # A weak reference, so that dropping the stream ends its call even while the source is blocked.
        self._call = weakref.ref(call)
        self._has_begun.set()
        if not call.add_callback(self._source.stop):
            self._source.stop()

    def requests(self) -> Iterator[functions_pb2.InvokeRequest]:
        """
        Yield all messages. If the source fails, cancel the call, so that a partial body never looks complete.
        """
        yield self._header
        try:
            for piece in self._source:
                yield from cut(piece)
        except GeneratorExit:
            raise
        except BaseException as exc:  # noqa: BLE001 - raised to the consumer of the result
            self.failure = exc
            # Not raised here: gRPC would log it and report UNKNOWN.
            self._cancel()

    def _cancel(self) -> None:
        self._has_begun.wait()
        call = None if self._call is None else self._call()
        if call is not None:
            call.cancel()
