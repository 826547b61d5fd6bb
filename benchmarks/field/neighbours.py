"""What callers of one function feel while another function never returns."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.field.findings import Latency, Neighbour
from benchmarks.field.layout import SPIN
from benchmarks.field.peers import Peer
from benchmarks.field.running import Rig, RunningPeer, open_peer
from benchmarks.load import Load
from benchmarks.processes import ProgramError, program

__all__ = ["PATIENCE_S", "measure_neighbours"]

PATIENCE_S = 2.0
"""After this an echo's caller gives up."""

_BODY = bytes(64)
_SETTLE_S = 0.5
"""For the endless calls to reach the app."""
_OVER_S = 11.0
"""Longer than a call goes on whose caller hung up: with ours 5 s in the queue, and 5 s until its timeout."""
_OBSERVE_S = 1.0
"""How long the CPU time is watched that the peer still uses."""


def measure_neighbours(
    peers: Sequence[Peer], rig: Rig, *, endless: Sequence[int], seconds: float
) -> dict[str, Neighbour]:
    """
    Start one peer after the other, and call echo while so many calls of an endless function are in flight.

    Args:
        peers: Who.
        rig: Measures.
        endless: Numbers of calls that don't return.
        seconds: How long echo is called at each.

    Raises:
        ProgramError: A program failed, or a call failed otherwise than by going unanswered.
    """
    found = {}
    for peer in peers:
        rig.tell(f"field, neighbours, {peer.title}")
        with open_peer(peer, rig) as running:
            latencies = {}
            for number in endless:
                with _calls(running, number, rig.folder):
                    latencies[number] = _latency(running, rig, seconds)
            time.sleep(_OVER_S)
            found[peer.key] = Neighbour(latencies=latencies, cores_after=_cores(running))
    return found


@contextlib.contextmanager
def _calls(running: RunningPeer, number: int, folder: Path) -> Iterator[None]:
    """
    Keep so many calls of the endless function in flight until the end.
    """
    if not number:
        yield
        return
    message = folder / "endless"
    message.write_bytes(running.message(SPIN, b""))
    command = [sys.executable, "-m", "benchmarks.field.endless"]
    with program([*command, running.address, running.path, str(message), str(number)]) as calling:
        if calling.stdout is None or not calling.stdout.readline():
            raise ProgramError("the callers of the endless function: ended")
        time.sleep(_SETTLE_S)
        yield


def _latency(running: RunningPeer, rig: Rig, seconds: float) -> Latency:
    message = rig.folder / "message"
    message.write_bytes(running.message("echo", _BODY))
    load = Load(
        address=running.address,
        message=str(message),
        callers=1,
        seconds=seconds,
        path=running.path,
        patience_s=PATIENCE_S,
    )
    outcome = rig.client.run(load)
    return Latency(
        p50_ms=outcome.p50_ms,
        p99_ms=outcome.p99_ms,
        calls=outcome.requests,
        unanswered=outcome.unanswered,
    )


def _cores(running: RunningPeer) -> float:
    before, begin = sum(running.cpu_s().values()), time.perf_counter()
    time.sleep(_OBSERVE_S)
    return (sum(running.cpu_s().values()) - before) / (time.perf_counter() - begin)
