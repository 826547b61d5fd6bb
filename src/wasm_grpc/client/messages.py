"""Build and parse the messages of a call, without I/O; shared by both clients."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import grpc

from wasm_grpc.client.errors import FunctionError
from wasm_grpc.core.metadata import join_values
from wasm_grpc.core.model import MIB
from wasm_grpc.v1 import functions_pb2

__all__ = ["CHUNK_BYTES", "METHOD", "Answer", "Header", "Metadata", "Piece", "cut", "request_header"]

METHOD = "/wasm_grpc.v1.Functions/Invoke"
CHUNK_BYTES = 1 * MIB
"""Largest part of a body in one message. daprd accepts messages of 4 MiB by default."""

Piece = bytes | bytearray | memoryview
Metadata = Mapping[str, str] | Iterable[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """
    A response's header, which precedes the result.

    Attributes:
        content_type: Media type of the result.
        metadata: Further metadata from the function, names in lower case.
        invocation_id: The call's id in the server's log.
        set_cookies: The values of ``Set-Cookie``. Not in `metadata`, since they can't be joined to one value.
    """

    content_type: str
    metadata: Mapping[str, str]
    invocation_id: str
    set_cookies: tuple[str, ...] = ()


class Answer:
    """
    Parses a server's messages in order.

    Attributes:
        header: The response's header; None before it has arrived.
    """

    def __init__(self) -> None:
        self.header: Header | None = None

    def take(self, response: functions_pb2.InvokeResponse) -> bytes:
        """
        Return a message's part of the result: b"" for the header or an empty chunk.

        Raises:
            FunctionError: The server violates the protocol.
        """
        part = response.WhichOneof("part")
        if part == "header":
            if self.header is not None:
                raise self._broken("a second header; expected chunks after the first")
            header = response.header
            self.header = Header(
                content_type=header.content_type,
                metadata=dict(header.metadata),
                invocation_id=header.invocation_id,
                set_cookies=tuple(header.set_cookies),
            )
            return b""
        if part is None:
            raise self._broken("a message with neither a header nor a chunk; expected one of them")
        if self.header is None:
            raise self._broken("a chunk before its header; expected the header first")
        return response.chunk

    def end(self) -> None:
        """
        Process the end of a call that succeeded.

        Raises:
            FunctionError: The server has sent no header.
        """
        if self.header is None:
            raise self._broken("no header; expected one before the end")

    @property
    def invocation_id(self) -> str:
        """
        The id in the header, or "" before it has arrived.
        """
        return "" if self.header is None else self.header.invocation_id

    def _broken(self, what: str) -> FunctionError:
        return FunctionError(
            grpc.StatusCode.INTERNAL, f"the server sent {what}", invocation_id=self.invocation_id
        )


def request_header(
    method: str, *, verb: str, query: str, content_type: str, metadata: Metadata
) -> functions_pb2.InvokeRequest:
    """
    Return the first message of a call.
    """
    pairs = metadata.items() if isinstance(metadata, Mapping) else metadata
    # A protobuf map has one value for each key: values of a repeated name are joined.
    joined = join_values((name.lower(), value) for name, value in pairs)
    return functions_pb2.InvokeRequest(
        header=functions_pb2.RequestHeader(
            method=method, verb=verb, query=query, content_type=content_type, metadata=joined
        )
    )


def cut(piece: Piece) -> Iterator[functions_pb2.InvokeRequest]:
    """
    Yield the messages for a piece of the body; none for an empty one.

    Raises:
        TypeError: It is not bytes.
    """
    if not isinstance(piece, bytes | bytearray | memoryview):
        raise TypeError(f"body: a piece of it is {type(piece).__name__}; expected bytes")
    if isinstance(piece, bytes) and 0 < len(piece) <= CHUNK_BYTES:
        yield functions_pb2.InvokeRequest(chunk=piece)
        return
    view = memoryview(piece)
    # A memoryview may have other items than bytes, or gaps between them.
    view = view.cast("B") if view.c_contiguous else memoryview(view.tobytes())
    for start in range(0, len(view), CHUNK_BYTES):
        yield functions_pb2.InvokeRequest(chunk=bytes(view[start : start + CHUNK_BYTES]))
