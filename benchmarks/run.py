"""One run of the benchmark, part by part."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from benchmarks.answers import Likenesses, check_answers
from benchmarks.bindgen import Bindgen, measure_bindgen
from benchmarks.broker import Tools, find_tools
from benchmarks.cases import Case, Subject, classify_subjects, make_cases, native_subjects, our_subject
from benchmarks.classifier import Classifier
from benchmarks.client import load_client
from benchmarks.dapr_calls import DaprCallCost, measure_dapr_calls
from benchmarks.field.findings import FieldFindings
from benchmarks.field.measure import FIELD_PARTS, FULL_FIELD, QUICK_FIELD, FieldPlan, measure_field
from benchmarks.first_call import FirstCall, measure_first_call
from benchmarks.functions import lay_out
from benchmarks.interfaces import InterfaceCost, measure_interfaces
from benchmarks.page import PageCost, measure_page
from benchmarks.processes import serving
from benchmarks.results import CaseResult
from benchmarks.reuse import Reuse, measure_reuse
from benchmarks.rounds import run_rounds
from benchmarks.runtimes import OurRuntime
from benchmarks.startup import Startup, measure_startup
from benchmarks.steps import FileCosts, Steps, measure_files, measure_steps
from benchmarks.streams import Streams, measure_streams
from benchmarks.topics import Topics, measure_topics
from wasm_grpc.core.model import MIB

__all__ = ["FULL", "OUR_PARTS", "PARTS", "QUICK", "QUICK_PARTS", "Findings", "Plan", "run"]

OUR_PARTS = (
    "echo",
    "bodies",
    "streams",
    "grayscale",
    "classify",
    "steps",
    "files",
    "startup",
    "topics",
    "dapr",
    "page",
    "reuse",
    "interfaces",
    "bindgen",
)
"""What is measured of ours and of the least that it could cost."""
PARTS = (*OUR_PARTS, *FIELD_PARTS)
"""What can be measured on its own."""
_SLOW_PARTS = frozenset(
    {
        "bindgen",
        "dapr",
        "files",
        "interfaces",
        "memory",
        "page",
        "reuse",
        "steps",
        "streams",
        "sweeps",
        "topics",
    }
)
QUICK_PARTS = tuple(part for part in PARTS if part not in _SLOW_PARTS)
"""What a quick run measures."""


_Found = TypeVar("_Found")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """
    How much is measured.

    Attributes:
        rounds: How often each server gets each load.
        seconds: How long each time.
        starts: How often each server is started.
        stream_bytes: Of each long stream.
        stream_rounds: How often each server gets each stream.
        messages: How many of a topic each app takes in a round.
        page_calls: How many pictures the page is sent.
        field: How much of others.
    """

    rounds: int
    seconds: float
    starts: int
    stream_bytes: int
    stream_rounds: int
    messages: int
    page_calls: int
    field: FieldPlan


FULL = Plan(
    rounds=8,
    seconds=0.5,
    starts=5,
    stream_bytes=1024 * MIB,
    stream_rounds=3,
    messages=3000,
    page_calls=200,
    field=FULL_FIELD,
)
QUICK = Plan(
    rounds=2,
    seconds=0.4,
    starts=2,
    stream_bytes=128 * MIB,
    stream_rounds=2,
    messages=1000,
    page_calls=60,
    field=QUICK_FIELD,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """
    What a run has found; a part that wasn't measured is empty.

    Attributes:
        left_out: A sentence on each part that was asked for and can't be measured here.
    """

    loads: Sequence[CaseResult]
    likenesses: Likenesses
    streams: Streams
    steps: Steps
    files: FileCosts
    startups: dict[str, Startup]
    first_calls: dict[str, FirstCall]
    topics: dict[str, Topics]
    dapr_calls: dict[str, DaprCallCost]
    pages: dict[str, PageCost]
    reuse: dict[str, dict[str, Reuse]]
    interfaces: dict[str, InterfaceCost]
    bindgen: dict[str, dict[str, Bindgen]]
    field: FieldFindings | None
    left_out: dict[str, str]


def run(
    plan: Plan,
    parts: Collection[str],
    *,
    runtimes: Sequence[OurRuntime],
    pictures: Sequence[Path],
    classifier: Classifier | None,
    tell: Callable[[str], None],
) -> Findings:
    """
    Measure some parts.

    Args:
        plan: How much.
        parts: Of `PARTS`.
        runtimes: Ours.
        pictures: To be turned grey and classified beside the painted one.
        classifier: What classify runs; None leaves it out.
        tell: Told of each step as it begins.

    Raises:
        ProgramError: A server or the client failed.
    """
    left_out: dict[str, str] = {}
    with contextlib.ExitStack() as stack:
        ours, native = [our_subject(runtime.engine) for runtime in runtimes], native_subjects()
        if classifier is None:
            lacking = [part for part in ("classify", "interfaces") if part in parts]
            left_out |= dict.fromkeys(lacking, "there is no functions/classify/classify.wasm")
            parts = [part for part in parts if part not in lacking]
        if classifier is not None or "bodies" in parts:
            folder = lay_out(classifier, Path(stack.enter_context(tempfile.TemporaryDirectory())))
            ours = [our_subject(runtime.engine, str(folder)) for runtime in runtimes]
            if classifier is not None:
                native += classify_subjects(classifier.model, classifier.labels, folder)
        cases = make_cases(parts, pictures)
        cache = {"XDG_CACHE_HOME": stack.enter_context(tempfile.TemporaryDirectory())}
        loads, likenesses = _measure_loads(plan, cases, [*_wanted(native, cases), *ours], cache, tell)

        keys = [each.key for each in ours]

        def wanted(part: str, measure: Callable[[], dict[str, _Found]]) -> dict[str, _Found]:
            if part not in parts:
                return {}
            tell(part)
            return measure()

        def topics_of(tools: Tools) -> dict[str, Topics]:
            return measure_topics(
                tools, keys, messages=plan.messages, rounds=plan.rounds, env=cache, tell=tell
            )

        def dapr_calls_of(tools: Tools) -> dict[str, DaprCallCost]:
            return measure_dapr_calls(
                tools, keys, seconds=plan.seconds, rounds=plan.rounds, env=cache, tell=tell
            )

        streams = wanted(
            "streams",
            lambda: measure_streams(
                ours, size_bytes=plan.stream_bytes, rounds=plan.stream_rounds, env=cache, tell=tell
            ),
        )
        steps = wanted("steps", lambda: measure_steps(runtimes))
        files = wanted("files", lambda: measure_files(runtimes))
        startups = wanted(
            "startup",
            lambda: {each.key: measure_startup(each, times=plan.starts, env=cache) for each in ours},
        )
        first_calls = wanted("classify", lambda: _measure_first_calls(plan, ours, cases, cache))
        topics = wanted("topics", lambda: _with_tools("topics", left_out, topics_of))
        dapr_calls = wanted("dapr", lambda: _with_tools("dapr", left_out, dapr_calls_of))
        pages = wanted(
            "page", lambda: {each.key: measure_page(each, calls=plan.page_calls, env=cache) for each in ours}
        )
        reuse = wanted(
            "reuse",
            lambda: {
                runtime.engine: measure_reuse(
                    runtime.engine, rounds=plan.rounds, seconds=plan.seconds, env=cache
                )
                for runtime in runtimes
            },
        )
        interfaces = wanted(
            "interfaces", lambda: _measure_interfaces(plan, runtimes, classifier, cache) if classifier else {}
        )
        bindgen = wanted(
            "bindgen",
            lambda: {
                runtime.engine: measure_bindgen(
                    runtime.engine, rounds=plan.rounds, seconds=plan.seconds, env=cache
                )
                for runtime in runtimes
            },
        )
    field = None
    if set(parts).intersection(FIELD_PARTS):
        engines = [runtime.engine for runtime in runtimes]
        others = measure_field(plan.field, parts, engines=engines, classifier=classifier, tell=tell)
        if isinstance(others, FieldFindings):
            field = others
        else:
            left_out |= dict.fromkeys(FIELD_PARTS, others)
    return Findings(
        loads=loads,
        likenesses=likenesses,
        streams=streams,
        steps=steps,
        files=files,
        startups=startups,
        first_calls=first_calls,
        topics=topics,
        dapr_calls=dapr_calls,
        pages=pages,
        reuse=reuse,
        interfaces=interfaces,
        bindgen=bindgen,
        field=field,
        left_out=left_out,
    )


def _measure_loads(
    plan: Plan,
    cases: Sequence[Case],
    subjects: Sequence[Subject],
    env: Mapping[str, str],
    tell: Callable[[str], None],
) -> tuple[Sequence[CaseResult], Likenesses]:
    if not cases:
        return (), {}
    tell("starting the servers")
    with contextlib.ExitStack() as running:
        servers = {subject: running.enter_context(serving(subject.command, env=env)) for subject in subjects}
        client = running.enter_context(load_client())
        likenesses = check_answers(cases, servers)
        loads = run_rounds(cases, servers, client, rounds=plan.rounds, seconds=plan.seconds, tell=tell)
    return loads, likenesses


def _measure_first_calls(
    plan: Plan, ours: Sequence[Subject], cases: Sequence[Case], env: Mapping[str, str]
) -> dict[str, FirstCall]:
    case = next(case for case in cases if case.method == "classify")
    return {each.key: measure_first_call(each, case, times=plan.starts, env=env) for each in ours}


def _measure_interfaces(
    plan: Plan, runtimes: Sequence[OurRuntime], classifier: Classifier, env: Mapping[str, str]
) -> dict[str, InterfaceCost]:
    return {
        runtime.engine: measure_interfaces(
            runtime, classifier, rounds=plan.rounds, seconds=plan.seconds, env=env
        )
        for runtime in runtimes
    }


def _with_tools(
    part: str, left_out: dict[str, str], measure: Callable[[Tools], dict[str, _Found]]
) -> dict[str, _Found]:
    """
    Measure a part that takes Redis and daprd; leave it out where they are missing.
    """
    tools = find_tools()
    if isinstance(tools, Tools):
        return measure(tools)
    left_out[part] = tools
    return {}


def _wanted(subjects: Sequence[Subject], cases: Sequence[Case]) -> list[Subject]:
    """
    Return those that some load is put on.
    """
    return [each for each in subjects if any(each.key in case.baselines for case in cases)]
