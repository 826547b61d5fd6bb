"""How fast streams are: chunks through a guest and back, against `grpc.aio` sending them back itself."""

from __future__ import annotations

import contextlib
import random
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import grpc

from benchmarks.cases import Subject
from benchmarks.client import LoadClient, load_client
from benchmarks.load import OPTIONS
from benchmarks.machine import cpu_time
from benchmarks.processes import ProgramError, Server, serving
from benchmarks.stream_load import INVOKE, Transfer, Turns, TurnTimes
from wasm_grpc.core.model import KIB, MIB
from wasm_grpc.v1 import functions_pb2 as pb

__all__ = ["BARE_STREAM", "CHUNKS", "StreamResult", "Streams", "TransferResult", "measure_streams"]

BARE_STREAM = Subject(
    key="bare-stream",
    title="bare grpc.aio",
    command=(sys.executable, "-m", "benchmarks.apps.bare_stream"),
)
"""What our streams are compared with."""

CHUNKS = {"64 KiB": 64 * KIB, "256 KiB": 256 * KIB, "1 MiB": MIB}
"""What the messages of a long stream hold."""

_GIB = 1024 * MIB
_TURN_BYTES = 64
_TURN_CALLS = 20
_TURN_CHUNKS = 20
_CHECKED_BYTES = 3 * MIB + 1
_CALL_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferResult:
    """
    Long streams of one chunk size through one server, over all rounds.

    Attributes:
        mib_s: MiB a second one way, the median.
        ratio: Of the bare server's: the median of the rounds' ratios.
        server_s: CPU seconds of the server process a GiB.
        children_s: Of its child processes.
        client_s: Of the client.
    """

    mib_s: float
    ratio: float
    server_s: float
    children_s: float
    client_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamResult:
    """
    One server.

    Attributes:
        transfers: By the chunks' size.
        times: Of short streams, medians over the rounds.
        first_ratio: Of the bare server's time to the first byte: the median of the rounds' ratios.
        turn_ratio: The same of the time from a chunk to what comes for it.
    """

    transfers: Mapping[str, TransferResult]
    times: TurnTimes
    first_ratio: float
    turn_ratio: float


Streams = dict[str, StreamResult]
"""By the server's key, the bare one's first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sample:
    seconds: float
    server_s: float
    children_s: float
    client_s: float


@dataclass(slots=True)
class _Taken:
    """
    One server's samples, one a round.
    """

    transfers: dict[str, list[_Sample]]
    turns: list[TurnTimes]


def measure_streams(
    subjects: Sequence[Subject],
    *,
    size_bytes: int,
    rounds: int,
    env: Mapping[str, str],
    tell: Callable[[str], None],
) -> Streams:
    """
    Send streams through each server and the bare one, in rounds; one stream runs at a time.

    Args:
        subjects: Ours.
        size_bytes: Of each long stream.
        rounds: How often each server gets each.
        env: Says where the cache is.
        tell: Told of each round as it begins.

    Raises:
        ProgramError: A program or a call failed, or what came back is not what was sent.
    """
    with contextlib.ExitStack() as running:
        servers = {
            subject: running.enter_context(serving(subject.command, env=env))
            for subject in (BARE_STREAM, *subjects)
        }
        client = running.enter_context(load_client("stream_load"))
        taken = {subject.key: _Taken({name: [] for name in CHUNKS}, []) for subject in servers}
        for server in servers.values():
            _check(server.address)
        for number in range(rounds):
            tell(f"streams, round {number + 1} of {rounds}")
            first = number % len(servers)
            turns = [*servers.items()]
            turns = turns[first:] + turns[:first]
            for name, chunk_bytes in CHUNKS.items():
                for subject, server in turns:
                    taken[subject.key].transfers[name].append(
                        _sample(client, server, chunk_bytes, size_bytes)
                    )
            for subject, server in turns:
                taken[subject.key].turns.append(_take_turns(client, server))
    bare = taken[BARE_STREAM.key]
    return {key: _result(each, bare, size_bytes) for key, each in taken.items()}


def _check(address: str) -> None:
    """
    Send one stream whose every byte is looked at.
    """
    body = random.Random(1).randbytes(_CHECKED_BYTES)  # noqa: S311 - no secret
    size = CHUNKS["64 KiB"]

    def requests() -> Iterator[pb.InvokeRequest]:
        yield pb.InvokeRequest(header=pb.RequestHeader(method="echo"))
        for at in range(0, len(body), size):
            yield pb.InvokeRequest(chunk=body[at : at + size])

    with grpc.insecure_channel(address, options=OPTIONS) as channel:
        invoke: grpc.StreamStreamMultiCallable[pb.InvokeRequest, pb.InvokeResponse] = channel.stream_stream(
            INVOKE,
            request_serializer=pb.InvokeRequest.SerializeToString,
            response_deserializer=pb.InvokeResponse.FromString,
        )
        try:
            echo = b"".join(
                answer.chunk for answer in invoke(requests(), timeout=_CALL_S, wait_for_ready=True)
            )
        except grpc.RpcError as exc:
            raise ProgramError(f"{address}: a stream failed: {exc}") from exc
    if echo != body:
        raise ProgramError(f"{address}: a stream's answer is not what was sent")


def _sample(client: LoadClient, server: Server, chunk_bytes: int, size_bytes: int) -> _Sample:
    before, client_before = cpu_time(server.pid), cpu_time(client.pid)
    transfer = Transfer(address=server.address, chunk_bytes=chunk_bytes, chunks=size_bytes // chunk_bytes)
    seconds = client.transfer(transfer).seconds
    used = cpu_time(server.pid).since(before)
    return _Sample(
        seconds=seconds,
        server_s=used.own_s,
        children_s=used.children_s,
        client_s=cpu_time(client.pid).since(client_before).own_s,
    )


def _take_turns(client: LoadClient, server: Server) -> TurnTimes:
    return client.take_turns(
        Turns(address=server.address, chunk_bytes=_TURN_BYTES, calls=_TURN_CALLS, chunks=_TURN_CHUNKS)
    )


def _result(taken: _Taken, bare: _Taken, size_bytes: int) -> StreamResult:
    turns = taken.turns
    return StreamResult(
        transfers={
            name: _transfer_result(samples, bare.transfers[name], size_bytes)
            for name, samples in taken.transfers.items()
        },
        times=TurnTimes(
            header_ms=statistics.median(each.header_ms for each in turns),
            first_ms=statistics.median(each.first_ms for each in turns),
            turn_ms=statistics.median(each.turn_ms for each in turns),
        ),
        first_ratio=_median_ratio([each.first_ms for each in turns], [each.first_ms for each in bare.turns]),
        turn_ratio=_median_ratio([each.turn_ms for each in turns], [each.turn_ms for each in bare.turns]),
    )


def _transfer_result(samples: Sequence[_Sample], bare: Sequence[_Sample], size_bytes: int) -> TransferResult:
    share = _GIB / (size_bytes * len(samples))
    return TransferResult(
        mib_s=statistics.median(size_bytes / MIB / each.seconds for each in samples),
        ratio=_median_ratio([each.seconds for each in bare], [each.seconds for each in samples]),
        server_s=sum(each.server_s for each in samples) * share,
        children_s=sum(each.children_s for each in samples) * share,
        client_s=sum(each.client_s for each in samples) * share,
    )


def _median_ratio(values: Sequence[float], base: Sequence[float]) -> float:
    return statistics.median(a / b for a, b in zip(values, base, strict=True))
