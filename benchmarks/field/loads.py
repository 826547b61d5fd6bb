"""The loads that every peer gets, in rounds, the peers taking turns."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from benchmarks.field.findings import FieldLoad, Taken, sum_up
from benchmarks.field.peers import Peer
from benchmarks.field.running import Rig, RunningPeer, open_peer
from benchmarks.load import Load
from benchmarks.machine import cpu_time
from benchmarks.pictures import paint_photo
from benchmarks.processes import ProgramError

__all__ = ["FieldCase", "cases", "measure_loads", "sweep_bodies", "sweep_callers", "workers_case"]

_ECHO_BYTES = 64
_MANY = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldCase:
    """
    One load; the attributes are those of `FieldLoad`.
    """

    series: str
    method: str
    body: bytes
    callers: int
    x: int


def cases(methods: Collection[str], callers: Sequence[int]) -> list[FieldCase]:
    """
    Return the loads of some functions, at so many callers each.
    """
    photo = paint_photo()
    bodies = {"echo": _echo(_ECHO_BYTES), "grayscale": photo, "classify": photo}
    return [
        FieldCase(series="cases", method=method, body=body, callers=number, x=number)
        for method, body in bodies.items()
        if method in methods
        for number in callers
    ]


def sweep_callers(callers: Sequence[int]) -> list[FieldCase]:
    """
    Return an echo's loads from few callers to many.
    """
    body = _echo(_ECHO_BYTES)
    return [FieldCase(series="callers", method="echo", body=body, callers=each, x=each) for each in callers]


def sweep_bodies(sizes: Sequence[int]) -> list[FieldCase]:
    """
    Return an echo's loads from small bodies to large, four callers each.
    """
    return [FieldCase(series="body", method="echo", body=_echo(each), callers=4, x=each) for each in sizes]


def workers_case(workers: int) -> FieldCase:
    """
    Return the load of peers that do so much at once: all of it computing.
    """
    return FieldCase(series="workers", method="grayscale", body=paint_photo(), callers=_MANY, x=workers)


def measure_loads(
    peers: Sequence[Peer], loads: Sequence[FieldCase], rig: Rig, *, rounds: int, seconds: float
) -> list[FieldLoad]:
    """
    Start the peers and put every load on each, `rounds` times for `seconds` each.

    Args:
        peers: Ours first.
        loads: What they get; one whose method a peer can't answer is not put on it.
        rig: Measures.
        rounds: How often each pair is measured.
        seconds: How long.

    Raises:
        ProgramError: A program or a call failed.
    """
    taken: dict[tuple[int, str], list[Taken]] = {}
    with contextlib.ExitStack() as stack:
        running = [stack.enter_context(open_peer(peer, rig)) for peer in peers]
        for number in range(rounds):
            rig.tell(f"field, {loads[0].series}, round {number + 1} of {rounds}")
            for index, case in enumerate(loads):
                for each in _turns(running, case, number):
                    taken.setdefault((index, each.peer.key), []).append(_take(each, case, rig, seconds))
    return [
        FieldLoad(
            series=case.series,
            method=case.method,
            x=case.x,
            callers=case.callers,
            body_bytes=len(case.body),
            peers={
                peer.key: sum_up(taken[index, peer.key], taken[index, peers[0].key])
                for peer in peers
                if (index, peer.key) in taken
            },
        )
        for index, case in enumerate(loads)
    ]


def _turns(running: Sequence[RunningPeer], case: FieldCase, number: int) -> list[RunningPeer]:
    """
    Return those that take this load; another one goes first each round.
    """
    taking = [each for each in running if case.method in each.peer.methods]
    first = number % len(taking)
    turns = taking[first:] + taking[:first]
    return [each for each in turns if number == 0 or case.method not in each.peer.slow]


def _take(running: RunningPeer, case: FieldCase, rig: Rig, seconds: float) -> Taken:
    message = rig.folder / "message"
    message.write_bytes(running.message(case.method, case.body))
    load = Load(
        address=running.address,
        message=str(message),
        callers=case.callers,
        seconds=seconds,
        path=running.path,
    )
    before, client_before = running.cpu_s(), cpu_time(rig.client.pid)
    try:
        outcome = rig.client.run(load)
    except ProgramError as exc:
        raise ProgramError(f"{running.peer.title}: {case.method}, {case.callers} callers: {exc}") from exc
    after = running.cpu_s()
    used = {part: after[part] - before[part] for part in after}
    used["client"] = cpu_time(rig.client.pid).since(client_before).own_s
    return Taken(
        rate=outcome.requests / outcome.seconds,
        p50_ms=outcome.p50_ms,
        p99_ms=outcome.p99_ms,
        requests=outcome.all_requests,
        cpu_s=used,
    )


def _echo(size: int) -> bytes:
    return b"0123456789abcdef" * (size // 16)
