"""The client for callers without an event loop."""

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
    The functions of an app, through this process's sidecar; or those of a server, at its address.

    ::

        with FunctionsClient("redactor") as functions:
            for chunk in functions.stream("redact", open("big.log", "rb")):
                sys.stdout.buffer.write(chunk)

    Any thread may call it, and calls may run side by side over its one connection.
    """

    def __init__(self, app_id: str = "", *, address: str = "", token: str | None = None) -> None:
        """
        Take the address; the connection is made with the first call.

        Args:
            app_id: The app, for calls through the sidecar.
            address: Of the sidecar; without it ``DAPR_GRPC_ENDPOINT``, or ``DAPR_GRPC_PORT`` on this
                machine. Without an app id: of the server.
            token: Without it ``DAPR_API_TOKEN`` for the sidecar, ``APP_API_TOKEN`` for a server.

        Raises:
            ConfigError: There is neither an app id nor an address, or the address can't be read.
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
        Call a method: the body is sent as it comes, the result comes as the function writes it.

        The body is taken on a thread of gRPC's, a piece whenever the last one has found room on its way.
        A function may end before it has read all of it; then no more is taken, and a piece that was may
        be lost. A file is read, not closed.

        Args:
            method: As in a trigger of the function's manifest.
            body: Bytes, a binary file, or an iterable of bytes.
            verb: HTTP verb.
            query: Without the leading "?".
            content_type: Media type of the body.
            metadata: What the function gets as ``HTTP_<NAME>``.
            timeout_s: The longest that the whole call may take.

        Raises:
            TypeError: The body is nothing that can be sent.
        """
        header = request_header(method, verb=verb, query=query, content_type=content_type, metadata=metadata)
        sending = _Sending(header, Source(body))
        call = self._invoke(sending.requests(), timeout=timeout_s, metadata=self._metadata)
        sending.begin(call)
        return Stream(call, sending)

    def close(self) -> None:
        """
        Close the connection; calls that still run are cancelled.
        """
        self._channel.close()


class Stream(Iterator[bytes]):
    """
    The result of one call, in chunks as they come. One thread uses it; any may call `cancel`.

    After the last chunk it raises what the call failed with:

    * `FunctionError`: The call failed, or the server broke the protocol.
    * What the body's own source raised, as it was; the call is cancelled then.

    A `with` block that is left early cancels the call, and so does letting go of the stream.
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
        Return all of the result that hasn't been taken yet, once it is there.
        """
        return b"".join(self)

    def cancel(self) -> None:
        """
        Stop the function; does nothing once the call has ended.
        """
        self._call.cancel()

    @property
    def header(self) -> Header:
        """
        The answer's header, once it has come.
        """
        while self._answer.header is None:
            self._take()
        return self._answer.header

    @property
    def content_type(self) -> str:
        """
        Media type of the result, once the header has come.
        """
        return self.header.content_type

    @property
    def metadata(self) -> Mapping[str, str]:
        """
        What the function sends beside the result, once the header has come.
        """
        return self.header.metadata

    @property
    def invocation_id(self) -> str:
        """
        The call's name in the server's log, once the header has come.
        """
        return self.header.invocation_id

    def _take(self) -> bytes:
        """
        Return what the server's next message has of the result; may be b"".
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
        # Here, where it gets no context that it hadn't where it was raised.
        raise failure


class _Sending:
    """
    The requests of one call, which gRPC takes on a thread of its own.

    Attributes:
        failure: What the body's source raised.
    """

    def __init__(self, header: functions_pb2.InvokeRequest, source: Source) -> None:
        self._header = header
        self._source = source
        self._has_begun = threading.Event()
        self._call: weakref.ref[grpc.RpcContext] | None = None
        self.failure: BaseException | None = None

    def begin(self, call: grpc.RpcContext) -> None:
        """
        Learn which call it is; its end ends the source's waits.
        """
        # Weak: a stream that is let go of must end its call, wherever the source is at that time.
        self._call = weakref.ref(call)
        self._has_begun.set()
        if not call.add_callback(self._source.stop):
            self._source.stop()

    def requests(self) -> Iterator[functions_pb2.InvokeRequest]:
        """
        Return every message; after a source's failure none, and never the end of a body that is not whole.
        """
        yield self._header
        try:
            for piece in self._source:
                yield from cut(piece)
        except GeneratorExit:
            raise
        except BaseException as exc:  # noqa: BLE001 - raised where the result is taken
            self.failure = exc
            # gRPC would log it, and call it UNKNOWN.
            self._cancel()

    def _cancel(self) -> None:
        self._has_begun.wait()
        call = None if self._call is None else self._call()
        if call is not None:
            call.cancel()
