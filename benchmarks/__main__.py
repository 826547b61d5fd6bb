"""
The benchmark: ``python -m benchmarks``, which is ``make bench``.

All servers run the whole time, each in its own process; one client process puts the loads on them
in turn. Servers and client share the cores. Figures of two runs don't compare; the ratios within
one run do.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks import report
from benchmarks.cases import classify_subjects, native_subjects, our_subject
from benchmarks.classifier import find_classifier
from benchmarks.machine import cores
from benchmarks.processes import ProgramError
from benchmarks.run import FULL, PARTS, QUICK, Findings, Plan, run
from benchmarks.runtimes import OurRuntime, our_runtimes
from benchmarks.streams import BARE_STREAM
from benchmarks.targets import Verdict, verdicts

__all__: list[str] = []


def main(argv: Sequence[str]) -> int:
    """
    Measure and print; 0 whatever the figures are, 1 if a program failed, 130 after a Ctrl-C.
    """
    options = _options(argv)
    plan = QUICK if options.quick else FULL
    try:
        runtimes = our_runtimes(_tell)
        print(f"{', '.join(each.title for each in runtimes)}; {cores()} cores, shared by servers and client")
        print(f"load before: {os.getloadavg()[0]:.1f}; above 0.5 the figures say less", flush=True)
        classifier = find_classifier(options.model, options.labels) if "classify" in options.only else None
        found = run(
            plan,
            options.only,
            runtimes=runtimes,
            pictures=options.picture,
            classifier=classifier,
            tell=_tell,
        )
    except ProgramError as exc:
        _tell(str(exc))
        return 1
    except KeyboardInterrupt:
        return 130
    engines = [each.engine for each in runtimes]
    judged = verdicts(
        found.loads,
        likenesses=found.likenesses,
        streams=found.streams,
        files=found.files,
        startups=found.startups,
        first_calls=found.first_calls,
        topics=found.topics,
        pages=found.pages,
        engines=engines,
    )
    if found.first_calls and classifier is not None:
        print(f"classify runs {classifier.title}")
    for line in _lines(found, judged, runtimes, plan):
        print(line)
    if options.json is not None:
        text = json.dumps({**asdict(found), "verdicts": [asdict(each) for each in judged]}, indent=1)
        options.json.write_text(text + "\n", "utf-8")
    return 0


def _options(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measure wasm_grpc against bare gRPC and native apps."
    )
    parser.add_argument("--quick", action="store_true", help="some 45 s instead of 4 min; coarser")
    parser.add_argument(
        "--only", nargs="+", choices=PARTS, default=PARTS, metavar="NAME", help=f"of {', '.join(PARTS)}"
    )
    parser.add_argument(
        "--picture",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="a further picture to turn grey and to classify",
    )
    parser.add_argument(
        "--model", type=Path, metavar="FILE", help="what classify runs (default: the function's own model)"
    )
    parser.add_argument("--labels", type=Path, metavar="FILE", help="the labels of --model")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there too")
    options = parser.parse_args(argv)
    if (options.model is None) != (options.labels is None):
        parser.error("--model and --labels go together")
    return options


def _lines(
    found: Findings, judged: Sequence[Verdict], runtimes: Sequence[OurRuntime], plan: Plan
) -> Iterator[str]:
    yield from _load_lines(found, runtimes, plan)
    if found.steps:
        yield from report.step_lines(found.steps)
    if found.files:
        yield from report.file_lines(found.files)
    if found.likenesses:
        yield from report.likeness_lines(found.likenesses)
    if found.startups:
        yield from report.startup_lines(found.startups, plan.starts)
    if found.first_calls:
        yield from report.first_call_lines(found.first_calls, plan.starts)
    if found.topics:
        yield from report.topic_lines(found.topics)
    if found.pages:
        yield from report.page_lines(found.pages)
    if judged:
        yield from report.verdict_lines(judged)


def _load_lines(found: Findings, runtimes: Sequence[OurRuntime], plan: Plan) -> Iterator[str]:
    subjects = (
        *native_subjects(),
        *classify_subjects(Path(), Path(), Path()),
        BARE_STREAM,
        *(our_subject(runtime.engine) for runtime in runtimes),
    )
    titles = {subject.key: subject.title for subject in subjects}
    if found.loads:
        yield f"medians of {plan.rounds} rounds of {plan.seconds:g} s; ratios are of requests a second"
        yield from report.load_lines(found.loads, titles)
        yield from report.cost_lines(found.loads, titles)
    if found.streams:
        yield from report.stream_lines(found.streams, titles)


def _tell(line: str) -> None:
    print(f"bench: {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
