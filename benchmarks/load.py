"""
The load client, a process of its own: callers that each wait for a reply before the next call.

``python -m benchmarks.load`` takes one JSON object a line (`Load`) and answers each with one (`Outcome`).
It sends and takes messages as bytes, so that a call costs it as little as `grpc.aio` lets it.
"""

from __future__ import annotations

import asyncio
import json
import math
import statistics
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import grpc

__all__ = ["ON_INVOKE", "OPTIONS", "Load", "Outcome"]

ON_INVOKE = "/dapr.proto.runtime.v1.AppCallback/OnInvoke"
OPTIONS = (("grpc.max_receive_message_length", -1), ("grpc.use_local_subchannel_pool", 1))
"""Of a channel: replies of any size, and a connection of its own."""

_READY_S = 20.0
_WARM_UP = 0.15
"""Share of the measured time that runs first and doesn't count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """
    What to send.

    Attributes:
        address: Of the server.
        message: File with a serialised ``InvokeRequest``.
        callers: Calls at a time.
        seconds: How long new calls are made.
    """

    address: str
    message: str
    callers: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """
    What came of it.

    Attributes:
        requests: Calls that were answered.
        all_requests: The same with those of the warm-up.
        seconds: From the first call to the last reply.
        p50_ms: Median of the calls' times.
        p99_ms: 99 of 100 calls took no longer.
    """

    requests: int
    all_requests: int
    seconds: float
    p50_ms: float
    p99_ms: float


async def _run(load: Load) -> Outcome:
    message = await asyncio.to_thread(Path(load.message).read_bytes)
    async with grpc.aio.insecure_channel(load.address, options=OPTIONS) as channel:
        await asyncio.wait_for(channel.channel_ready(), _READY_S)
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(ON_INVOKE)
        expected = await call(message)
        warm_up = await _phase(call, message, expected, load.callers, load.seconds * _WARM_UP)
        begin = time.perf_counter()
        times = await _phase(call, message, expected, load.callers, load.seconds)
        seconds = time.perf_counter() - begin
    return Outcome(
        requests=len(times),
        all_requests=1 + len(warm_up) + len(times),
        seconds=seconds,
        p50_ms=statistics.median(times) * 1e3,
        p99_ms=sorted(times)[math.ceil(len(times) * 0.99) - 1] * 1e3,
    )


async def _phase(
    call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes],
    message: bytes,
    expected: bytes,
    callers: int,
    seconds: float,
) -> list[float]:
    until = time.perf_counter() + seconds
    times: list[float] = []

    async def caller() -> None:
        begin = time.perf_counter()
        while begin < until:
            reply = await call(message)
            end = time.perf_counter()
            times.append(end - begin)
            if reply != expected:
                raise AssertionError("one request had two different replies")
            begin = end

    await asyncio.gather(*(caller() for _ in range(callers)))
    return times


async def _main() -> None:
    while line := await asyncio.to_thread(sys.stdin.readline):
        outcome = await _run(Load(**json.loads(line)))
        print(json.dumps(asdict(outcome)), flush=True)


if __name__ == "__main__":
    asyncio.run(_main())
