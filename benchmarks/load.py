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

_Call = grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """
    What to send.

    Attributes:
        address: Of the server.
        message: File with the serialised message that `path` takes.
        callers: Calls at a time.
        seconds: How long new calls are made.
        path: The RPC.
        patience_s: A caller gives up after so long; None waits, and a call that fails is an error.
    """

    address: str
    message: str
    callers: int
    seconds: float
    path: str = ON_INVOKE
    patience_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """
    What came of it.

    Attributes:
        requests: Calls that were answered, or given up.
        all_requests: The same with those of the warm-up.
        unanswered: Those that were given up, whose time is `Load.patience_s`.
        seconds: From the first call to the last reply.
        p50_ms: Median of the calls' times.
        p99_ms: 99 of 100 calls took no longer.
    """

    requests: int
    all_requests: int
    unanswered: int
    seconds: float
    p50_ms: float
    p99_ms: float


class _Callers:
    """
    Callers of one load: their calls' times, and how many of these were given up.
    """

    def __init__(self, load: Load, call: _Call, message: bytes) -> None:
        self._load = load
        self._call = call
        self._message = message
        self._expected: bytes | None = None
        self.times: list[float] = []
        self.unanswered = 0

    async def make_calls(self, seconds: float) -> None:
        """
        Make calls for so long, and wait for the last.
        """
        self.times, self.unanswered = [], 0
        until = time.perf_counter() + seconds
        await asyncio.gather(*(self._caller(until) for _ in range(self._load.callers)))

    async def _caller(self, until: float) -> None:
        begin = time.perf_counter()
        while begin < until:
            reply = await self._reply()
            end = time.perf_counter()
            self.times.append(end - begin)
            if reply is None:
                self.unanswered += 1
            elif self._expected is None:
                self._expected = reply
            elif reply != self._expected:
                raise AssertionError("one request had two different replies")
            begin = end

    async def _reply(self) -> bytes | None:
        try:
            return await self._call(self._message, timeout=self._load.patience_s)
        except grpc.aio.AioRpcError as exc:
            if self._load.patience_s is None or exc.code() is not grpc.StatusCode.DEADLINE_EXCEEDED:
                raise
            return None


async def _run(load: Load) -> Outcome:
    message = await asyncio.to_thread(Path(load.message).read_bytes)
    async with grpc.aio.insecure_channel(load.address, options=OPTIONS) as channel:
        await asyncio.wait_for(channel.channel_ready(), _READY_S)
        callers = _Callers(load, channel.unary_unary(load.path), message)
        await callers.make_calls(load.seconds * _WARM_UP)
        warm_up = len(callers.times)
        begin = time.perf_counter()
        await callers.make_calls(load.seconds)
        seconds = time.perf_counter() - begin
    times = callers.times
    return Outcome(
        requests=len(times),
        all_requests=warm_up + len(times),
        unanswered=callers.unanswered,
        seconds=seconds,
        p50_ms=statistics.median(times) * 1e3,
        p99_ms=sorted(times)[math.ceil(len(times) * 0.99) - 1] * 1e3,
    )


async def _main() -> None:
    while line := await asyncio.to_thread(sys.stdin.readline):
        outcome = await _run(Load(**json.loads(line)))
        print(json.dumps(asdict(outcome)), flush=True)


if __name__ == "__main__":
    asyncio.run(_main())
