"""A server that speaks ``wasm_grpc.v1.Functions``: each method is a few lines of Python, on a thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NoReturn

import grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2

from wasm_grpc.v1.functions_pb2 import InvokeRequest, InvokeResponse, RequestHeader, ResponseHeader

__all__ = ["FakeFunctions", "Invocation", "chunk_of", "echo", "fake_functions", "header_of"]


class Invocation:
    """One call, as a method sees it."""

    def __init__(self, requests: Iterator[InvokeRequest], context: grpc.ServicerContext) -> None:
        first = next(requests)
        assert first.WhichOneof("part") == "header"
        self.header: RequestHeader = first.header
        self.metadata = dict(context.invocation_metadata())
        self.context = context
        self._requests = requests

    def chunks(self) -> Iterator[bytes]:
        """Return the body's chunks, each asked for when it is wanted."""
        for request in self._requests:
            assert request.WhichOneof("part") == "chunk"
            yield request.chunk

    def fail(self, code: grpc.StatusCode, message: str, **info: str) -> NoReturn:
        """End with a status, and with an ErrorInfo if there is anything to say in it."""
        if info:
            self.context.set_trailing_metadata((("grpc-status-details-bin", _details(code, **info)),))
        self.context.abort(code, message)

    def fail_with(self, code: grpc.StatusCode, details: bytes) -> NoReturn:
        """End with a status whose details are these bytes."""
        self.context.set_trailing_metadata((("grpc-status-details-bin", details),))
        self.context.abort(code, "failed")


Method = Callable[[Invocation], Iterator[InvokeResponse]]


@dataclass
class FakeFunctions:
    """A running server; tests add methods to those that are there."""

    address: str
    methods: dict[str, Method]

    def add(self, method: Method) -> str:
        """Serve a method under its Python name, and return that."""
        self.methods[method.__name__] = method
        return method.__name__


def header_of(content_type: str = "text/plain", **metadata: str) -> InvokeResponse:
    """Make an answer's header."""
    header = ResponseHeader(content_type=content_type, metadata=metadata, invocation_id="7f")
    return InvokeResponse(header=header)


def chunk_of(chunk: bytes) -> InvokeResponse:
    """Make a chunk of a result."""
    return InvokeResponse(chunk=chunk)


def echo(call: Invocation) -> Iterator[InvokeResponse]:
    """Answer each chunk with itself as soon as it comes."""
    yield header_of(call.header.content_type)
    yield from map(chunk_of, call.chunks())


@contextmanager
def fake_functions() -> Iterator[FakeFunctions]:
    """Serve on a free port, with the method `echo`; what still runs at the end is cancelled."""
    methods: dict[str, Method] = {"echo": echo}

    def invoke(requests: Iterator[InvokeRequest], context: grpc.ServicerContext) -> Iterator[InvokeResponse]:
        call = Invocation(requests, context)
        return methods[call.header.method](call)

    handler = grpc.stream_stream_rpc_method_handler(
        invoke,
        request_deserializer=InvokeRequest.FromString,
        response_serializer=InvokeResponse.SerializeToString,
    )
    options = (
        ("grpc.max_receive_message_length", 4 * 1024 * 1024),  # daprd's
        ("grpc.http2.bdp_probe", 0),  # On a busy machine it finds room for a stream that nobody reads.
    )
    with ThreadPoolExecutor(8) as threads:
        server = grpc.server(threads, options=options)
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("wasm_grpc.v1.Functions", {"Invoke": handler}),)
        )
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield FakeFunctions(f"127.0.0.1:{port}", methods)
        finally:
            server.stop(None).wait()


def _details(code: grpc.StatusCode, *, reason: str, domain: str = "wasm-grpc", **metadata: str) -> bytes:
    details = any_pb2.Any()
    details.Pack(error_details_pb2.ErrorInfo(reason=reason, domain=domain, metadata=metadata))
    return status_pb2.Status(code=code.value[0], details=[details]).SerializeToString()
