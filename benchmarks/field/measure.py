"""The field, part by part: loads and sweeps, memory, neighbours."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.classifier import Classifier
from benchmarks.client import load_client
from benchmarks.field.builds import Built, build
from benchmarks.field.findings import FieldFindings, FieldLoad
from benchmarks.field.layout import Ground, lay_out_field
from benchmarks.field.loads import cases, measure_loads, sweep_bodies, sweep_callers, workers_case
from benchmarks.field.memory import measure_memory
from benchmarks.field.neighbours import measure_neighbours
from benchmarks.field.peers import all_peers
from benchmarks.field.running import Rig

__all__ = ["FIELD_PARTS", "FULL_FIELD", "QUICK_FIELD", "FieldPlan", "measure_field"]

FIELD_PARTS = ("peers", "sweeps", "memory", "neighbours")
"""What can be measured on its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldPlan:
    """
    How much is measured.

    Attributes:
        engines: How many of ours.
        methods: Functions whose loads are measured.
        rounds: How often each peer gets each of these.
        sweep_rounds: How often each peer gets each load of a sweep.
        seconds: How long each time.
        case_callers: Callers of the functions' loads.
        callers: Callers of that sweep.
        bodies: Bytes of that sweep.
        workers: Of that sweep.
        functions: Numbers of functions whose memory is read.
        neighbours: How many peers get an endless function.
        endless: Numbers of calls that don't return, beside which echo is called.
        echo_s: How long echo is called beside them.
    """

    engines: int | None = None
    methods: Sequence[str]
    rounds: int
    sweep_rounds: int
    seconds: float
    case_callers: Sequence[int]
    callers: Sequence[int]
    bodies: Sequence[int]
    workers: Sequence[int]
    functions: Sequence[int]
    neighbours: int | None = None
    endless: Sequence[int]
    echo_s: float


FULL_FIELD = FieldPlan(
    methods=("echo", "grayscale", "classify"),
    rounds=4,
    sweep_rounds=3,
    seconds=0.6,
    case_callers=(1, 16),
    callers=(1, 4, 16, 64, 256),
    bodies=(64, 1 << 10, 16 << 10, 256 << 10, 4 << 20),
    workers=(1, 2, 4),
    functions=(1, 100, 1000),
    endless=(0, 1, 16),
    echo_s=3.0,
)
QUICK_FIELD = FieldPlan(
    engines=1,
    methods=("echo",),
    rounds=1,
    sweep_rounds=1,
    seconds=0.3,
    case_callers=(16,),
    callers=(),
    bodies=(),
    workers=(),
    functions=(1,),
    neighbours=2,
    endless=(0, 16),
    echo_s=0.5,
)


def measure_field(
    plan: FieldPlan,
    parts: Collection[str],
    *,
    engines: Sequence[str],
    classifier: Classifier | None,
    tell: Callable[[str], None],
) -> FieldFindings | str:
    """
    Measure some parts; where there is no daprd, return a sentence that says so.

    Args:
        plan: How much.
        parts: Of `FIELD_PARTS`.
        engines: Ours.
        classifier: What classify runs; None leaves it and the native apps out.
        tell: Told of each step as it begins.

    Raises:
        ProgramError: A program or a call failed.
    """
    built = build(tell)
    if built.daprd is None:
        return "no daprd (tests/daprd/build makes one)"
    for key, why in built.left_out.items():
        tell(f"{key} is left out: {why}")
    engines = engines[: plan.engines]
    if "classify" not in plan.methods:
        classifier = None
    with tempfile.TemporaryDirectory() as name, load_client() as client:
        rig = Rig(daprd=built.daprd, client=client, folder=Path(name), tell=tell)
        ground = lay_out_field(classifier, rig.folder / "ground")
        peers = all_peers(engines, built, ground)
        loads: list[FieldLoad] = []
        if "peers" in parts:
            wanted = cases(plan.methods, plan.case_callers)
            loads += measure_loads(peers, wanted, rig, rounds=plan.rounds, seconds=plan.seconds)
        if "sweeps" in parts:
            loads += _measure_sweeps(plan, engines, built, ground, rig)
        memory, neighbours = {}, {}
        if "memory" in parts:
            memory = measure_memory(engines, built, rig, counts=plan.functions)
        if "neighbours" in parts:
            neighbours = measure_neighbours(
                peers[: plan.neighbours], rig, endless=plan.endless, seconds=plan.echo_s
            )
    return FieldFindings(
        titles={peer.key: peer.title for peer in peers},
        left_out=built.left_out,
        loads=loads,
        memory=memory,
        neighbours=neighbours,
    )


def _measure_sweeps(
    plan: FieldPlan, engines: Sequence[str], built: Built, ground: Ground, rig: Rig
) -> list[FieldLoad]:
    peers = all_peers(engines, built, ground)
    sweeps = [(peers, sweep_callers(plan.callers)), (peers, sweep_bodies(plan.bodies))]
    for workers in plan.workers:
        some = [peer for peer in all_peers(engines, built, ground, workers=workers) if not peer.slow]
        sweeps.append((some, [workers_case(workers)]))
    return [
        load
        for some, loads in sweeps
        if loads
        for load in measure_loads(some, loads, rig, rounds=plan.sweep_rounds, seconds=plan.seconds)
    ]
