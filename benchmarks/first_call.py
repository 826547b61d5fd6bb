"""How long the first call to a server takes that has just started, against those that follow."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass

import grpc

from benchmarks.cases import Case, Subject
from benchmarks.client import invoke_request
from benchmarks.load import ON_INVOKE, OPTIONS
from benchmarks.processes import ProgramError, serving

__all__ = ["FirstCall", "measure_first_call"]

_READY_S = 20.0
_CALL_S = 20.0
_STEADY_CALLS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstCall:
    """
    First calls after a start, medians over the starts.

    Attributes:
        first_ms: Of the first call.
        steady_ms: Of the calls after it.
        ratio: The first over the steady ones of the same start.
    """

    first_ms: float
    steady_ms: float
    ratio: float


def measure_first_call(subject: Subject, case: Case, *, times: int, env: Mapping[str, str]) -> FirstCall:
    """
    Start a server so many times, and once before that fills its cache, and call it at once.

    Raises:
        ProgramError: It did not start, or a call failed.
    """
    message = invoke_request(case.method, case.body).SerializeToString()
    starts: list[tuple[float, float]] = []
    for _ in range(1 + times):
        with serving(subject.command, env=env) as server:
            starts.append(_calls(server.address, message))
    del starts[0]
    return FirstCall(
        first_ms=statistics.median(first for first, _ in starts) * 1e3,
        steady_ms=statistics.median(steady for _, steady in starts) * 1e3,
        ratio=statistics.median(first / steady for first, steady in starts),
    )


def _calls(address: str, message: bytes) -> tuple[float, float]:
    with grpc.insecure_channel(address, options=OPTIONS) as channel:
        grpc.channel_ready_future(channel).result(_READY_S)
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(ON_INVOKE)
        times = []
        for _ in range(1 + _STEADY_CALLS):
            begin = time.perf_counter()
            try:
                call(message, timeout=_CALL_S)
            except grpc.RpcError as exc:
                raise ProgramError(f"{address}: a call after the start failed: {exc}") from exc
            times.append(time.perf_counter() - begin)
    return times[0], statistics.median(times[1:])
