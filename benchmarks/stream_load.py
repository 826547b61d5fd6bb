"""
The stream client, a process of its own: one call at a time, written and read at the same time.

``python -m benchmarks.stream_load`` takes one JSON object a line (`Transfer` or `Turns`) and answers each
with one (`Transferred`, `TurnTimes`). Like `benchmarks.load` it sends and takes messages as bytes.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from dataclasses import asdict, dataclass

import grpc

from benchmarks.load import OPTIONS
from wasm_grpc.v1 import functions_pb2 as pb

__all__ = ["INVOKE", "Transfer", "Transferred", "TurnTimes", "Turns"]

INVOKE = "/wasm_grpc.v1.Functions/Invoke"

_METHOD = "echo"
_READY_S = 20.0
_LENGTH_AT = 1
"""In a message that is one chunk, after the field's tag (one byte): a varint, seven bits a byte."""

_Call = grpc.aio.StreamStreamCall[bytes, bytes]
_Invoke = grpc.aio.StreamStreamMultiCallable[bytes, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """
    One long stream.

    Attributes:
        address: Of the server.
        chunk_bytes: Of each message.
        chunks: How many are sent.
    """

    address: str
    chunk_bytes: int
    chunks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Transferred:
    """
    What came of it.

    Attributes:
        seconds: From the call to its end, when all had come back.
    """

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Turns:
    """
    Short streams, in which each chunk is awaited before the next is sent.

    Attributes:
        address: Of the server.
        chunk_bytes: Of each message.
        calls: How many, one after the other.
        chunks: In each.
    """

    address: str
    chunk_bytes: int
    calls: int
    chunks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnTimes:
    """
    Medians of what they took.

    Attributes:
        header_ms: From the call, which sends its header and its first chunk at once, to the answer's header.
        first_ms: From the call to the first byte of the result.
        turn_ms: From a later chunk to the first byte that comes for it.
    """

    header_ms: float
    first_ms: float
    turn_ms: float


async def _transfer(transfer: Transfer) -> Transferred:
    header, chunk = _header(), _chunk(transfer.chunk_bytes)
    async with grpc.aio.insecure_channel(transfer.address, options=OPTIONS) as channel:
        await asyncio.wait_for(channel.channel_ready(), _READY_S)
        invoke: _Invoke = channel.stream_stream(INVOKE)
        begin = time.perf_counter()
        call = invoke()

        async def send() -> None:
            await call.write(header)
            for _ in range(transfer.chunks):
                await call.write(chunk)
            await call.done_writing()

        async def take() -> int:
            await _read(call)
            taken = 0
            while isinstance(message := await call.read(), bytes):
                taken += _payload(message)
            return taken

        _, taken = await asyncio.gather(send(), take())
        await _check_end(call)
        seconds = time.perf_counter() - begin
    if taken != transfer.chunk_bytes * transfer.chunks:
        raise AssertionError(f"{taken} bytes came back of {transfer.chunk_bytes * transfer.chunks}")
    return Transferred(seconds=seconds)


async def _turns(turns: Turns) -> TurnTimes:
    header, chunk = _header(), _chunk(turns.chunk_bytes)
    headers, firsts, later = [], [], []
    async with grpc.aio.insecure_channel(turns.address, options=OPTIONS) as channel:
        await asyncio.wait_for(channel.channel_ready(), _READY_S)
        invoke: _Invoke = channel.stream_stream(INVOKE)
        for _ in range(turns.calls):
            begin = time.perf_counter()
            call = invoke()
            await call.write(header)
            await call.write(chunk)
            await _read(call)
            headers.append(time.perf_counter() - begin)
            await _read_chunk(call, turns.chunk_bytes)
            firsts.append(time.perf_counter() - begin)
            for _ in range(turns.chunks - 1):
                begin = time.perf_counter()
                await call.write(chunk)
                await _read_chunk(call, turns.chunk_bytes)
                later.append(time.perf_counter() - begin)
            await call.done_writing()
            await _check_end(call)
    return TurnTimes(
        header_ms=statistics.median(headers) * 1e3,
        first_ms=statistics.median(firsts) * 1e3,
        turn_ms=statistics.median(later) * 1e3,
    )


def _header() -> bytes:
    return pb.InvokeRequest(header=pb.RequestHeader(method=_METHOD)).SerializeToString()


def _chunk(size: int) -> bytes:
    return pb.InvokeRequest(chunk=bytes(size)).SerializeToString()


async def _read(call: _Call) -> bytes:
    message = await call.read()
    if isinstance(message, bytes):
        return message
    # Raises why, if the call failed.
    await _check_end(call)
    raise AssertionError("the stream ended before all had come back")


async def _read_chunk(call: _Call, size: int) -> None:
    """
    Take a chunk that may come in pieces.
    """
    while size > 0:
        size -= _payload(await _read(call))


def _payload(message: bytes) -> int:
    """
    Return the length of the chunk in a message, which is all that follows its length.
    """
    at = _LENGTH_AT
    while message[at] & 0x80:
        at += 1
    return len(message) - at - 1


async def _check_end(call: _Call) -> None:
    if await call.code() is not grpc.StatusCode.OK:
        raise AssertionError(f"{await call.code()}: {await call.details()}")


async def _main() -> None:
    while line := await asyncio.to_thread(sys.stdin.readline):
        asked = json.loads(line)
        outcome = await (_turns(Turns(**asked)) if "calls" in asked else _transfer(Transfer(**asked)))
        print(json.dumps(asdict(outcome)), flush=True)


if __name__ == "__main__":
    asyncio.run(_main())
