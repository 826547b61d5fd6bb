"""A caller of `wasm_grpc.v1.Functions`, message by message, over a generic grpc.aio channel."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc

from integration.client import Caller, Failure, failure_in
from wasm_grpc.v1 import functions_pb2 as pb

__all__ = ["METHOD", "Header", "StreamCall", "chunk_message", "header_message", "open_call"]

METHOD = "/wasm_grpc.v1.Functions/Invoke"


@dataclass(frozen=True, kw_only=True)
class Header:
    """The first message of an answer."""

    content_type: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    set_cookies: tuple[str, ...] = ()
    invocation_id: str = field(default="", compare=False)


class StreamCall:
    """One stream; whoever opens it ends it."""

    def __init__(self, call: Any) -> None:
        self.call = call

    async def send(self, *messages: pb.InvokeRequest | bytes) -> bool:
        """
        Send messages, those that are bytes as chunks; done when there is room for more.

        Returns whether the call still took them. Not by `write`, which puts a status of its own in place of
        the server's where the server ends the call meanwhile (grpc/grpc#36066).
        """
        await self.call.wait_for_connection()
        for message in messages:
            whole = chunk_message(message) if isinstance(message, bytes) else message
            try:
                await self.call._cython_call.send_serialized_message(whole.SerializeToString())  # noqa: SLF001
            except grpc.aio.InternalError:
                return False
        return True

    async def end(self) -> None:
        """Say that no more will come."""
        await self.call.done_writing()

    async def send_all(self, *messages: pb.InvokeRequest | bytes) -> None:
        """Send messages and the end."""
        if await self.send(*messages):
            await self.end()

    async def message(self) -> pb.InvokeResponse | None:
        """Read the next message; None when the call has ended well."""
        message = await self.call.read()
        if message is grpc.aio.EOF:
            return None
        assert isinstance(message, pb.InvokeResponse)
        return message

    async def header(self) -> Header:
        """Read a message that has to be the header."""
        message = await self.message()
        assert message is not None
        assert message.WhichOneof("part") == "header"
        header = message.header
        return Header(
            content_type=header.content_type,
            metadata=dict(header.metadata),
            set_cookies=tuple(header.set_cookies),
            invocation_id=header.invocation_id,
        )

    async def chunk(self) -> bytes:
        """Read a message that has to be a chunk; b"" when the call has ended well."""
        message = await self.message()
        if message is None:
            return b""
        assert message.WhichOneof("part") == "chunk"
        assert message.chunk
        return message.chunk

    async def exactly(self, size: int) -> bytes:
        """Read chunks that make up so many bytes."""
        read = b""
        while len(read) < size:
            chunk = await self.chunk()
            assert chunk
            read += chunk
        assert len(read) == size
        return read

    async def rest(self) -> bytes:
        """Read chunks until the call has ended well."""
        chunks = []
        while chunk := await self.chunk():
            chunks.append(chunk)
        assert await self.call.code() is grpc.StatusCode.OK
        return b"".join(chunks)

    async def failure(self) -> tuple[bytes, Failure]:
        """Read chunks until the call has failed; return them and how."""
        chunks = []
        try:
            while chunk := await self.chunk():
                chunks.append(chunk)
        except grpc.aio.AioRpcError as exc:
            return b"".join(chunks), failure_in(exc)
        raise AssertionError(f"the call went well after {sum(map(len, chunks))} bytes")


def header_message(method: str, **fields: Any) -> pb.InvokeRequest:
    """Return the message that begins a stream."""
    return pb.InvokeRequest(header=pb.RequestHeader(method=method, **fields))


def chunk_message(chunk: bytes) -> pb.InvokeRequest:
    """Return a message with a part of the body."""
    return pb.InvokeRequest(chunk=chunk)


@asynccontextmanager
async def open_call(
    caller: Caller,
    method: str | None,
    *,
    call_metadata: Sequence[tuple[str, str | bytes]] = (),
    timeout_s: float | None = 15,
    **fields: Any,
) -> AsyncIterator[StreamCall]:
    """Begin a stream of this method, unless it is None, and cancel what is left of it at the end."""
    invoke = caller.channel.stream_stream(
        METHOD,
        request_serializer=pb.InvokeRequest.SerializeToString,
        response_deserializer=pb.InvokeResponse.FromString,
    )
    stream = StreamCall(invoke(metadata=tuple(call_metadata), timeout=timeout_s))
    try:
        if method is not None:
            await stream.send(header_message(method, **fields))
        yield stream
    finally:
        stream.call.cancel()
