"""
What one invocation costs inside a worker: ``python -m benchmarks.guest_cost ENGINE MODULE BYTES``.

Runs in this process, under a worker's interpreter, the steps that a worker takes for each
invocation, without the socket; prints a JSON object of their medians in microseconds.
"""

from __future__ import annotations

import itertools
import json
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from wasm_grpc.core.model import MIB, EngineName, GuestKind, Limits
from wasm_grpc.core.wire import FrameReader, Invoke, Result, decode, encode, encode_env
from wasm_grpc.engines.limits import write_limits
from wasm_grpc.engines.registry import open_engine
from wasm_grpc.guests.protocol import GuestCall
from wasm_grpc.guests.registry import guest_for
from wasm_grpc.hosts.wasi.context import encode_strings
from wasm_grpc.hosts.wasi.streams import BytesStdin, CollectedStdout, Stderr

__all__ = ["STEPS"]

STEPS = ("frame in", "instantiate", "run", "frame out", "free")
"""In the order of the medians that are printed."""

_TIMES = 2000
_WARM_UPS = 200
_LIMITS = Limits(memory_bytes=MIB)
_ENV = (("REQUEST_METHOD", "POST"), ("CONTENT_TYPE", "application/octet-stream"), ("CONTENT_LENGTH", "64"))


def _main(engine_name: str, module: str, body_bytes: str) -> None:
    engine = open_engine(EngineName(engine_name))
    guest = guest_for(GuestKind.WASI_COMMAND)
    wasm = write_limits(Path(module).read_bytes(), memory_bytes=_LIMITS.memory_bytes)
    prepared = engine.load(engine.compile(wasm), guest.hosts)
    args = encode_strings(("echo",))
    body = bytes(int(body_bytes))
    pieces = b"".join(encode(Invoke(0, encode_env(_ENV), body)))
    reader = FrameReader(body_limit=len(pieces))

    def once() -> tuple[float, ...]:
        begin = time.perf_counter()
        (frame,) = reader.feed(pieces)
        message = decode(frame)
        assert isinstance(message, Invoke)  # noqa: S101 - for mypy; it was packed above
        has_come = time.perf_counter()
        ready = guest.ready(prepared, _LIMITS)
        is_ready = time.perf_counter()
        ending = ready.run(
            GuestCall(
                args=args,
                env=message.env,
                stdin=BytesStdin(message.body),
                stdout=CollectedStdout(_LIMITS.output_bytes),
                stderr=Stderr(_LIMITS.stderr_bytes),
                limits=_LIMITS,
            )
        )
        has_run = time.perf_counter()
        encode(Result(ending.outcome))
        has_answered = time.perf_counter()
        ready.close()
        times = (begin, has_come, is_ready, has_run, has_answered, time.perf_counter())
        return tuple(later - earlier for earlier, later in itertools.pairwise(times))

    for _ in range(_WARM_UPS):
        once()
    print(json.dumps(_medians([once() for _ in range(_TIMES)])))


def _medians(times: Sequence[Sequence[float]]) -> dict[str, float]:
    columns = zip(*times, strict=True)
    return {step: statistics.median(column) * 1e6 for step, column in zip(STEPS, columns, strict=True)}


if __name__ == "__main__":
    _main(*sys.argv[1:])
