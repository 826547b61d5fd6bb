"""
The benchmark: ``python -m benchmarks``, which is ``make bench``.

All servers run the whole time, each in its own process; one client process puts the loads on them
in turn. Servers and client share the cores. Figures of two runs don't compare; the ratios within
one run do.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.cases import classify_subjects, native_subjects, our_subject
from benchmarks.classifier import find_classifier
from benchmarks.document import Document, missing_figures
from benchmarks.environment import describe_machine, describe_versions
from benchmarks.field.builds import built_programs
from benchmarks.field.measure import FIELD_PARTS
from benchmarks.machine import cores
from benchmarks.processes import ProgramError
from benchmarks.publish import PARTIAL_RESULTS, RESULTS, field_lines, publish
from benchmarks.run import FULL, OUR_PARTS, PARTS, QUICK, QUICK_PARTS, Findings, Plan, run
from benchmarks.runtimes import OurRuntime, our_runtimes
from benchmarks.streams import BARE_STREAM
from benchmarks.targets import Verdict, verdicts

__all__: list[str] = []


def main(argv: Sequence[str]) -> int:
    """
    Measure, print and write.

    Returns:
        0 whatever the figures are, 1 if a program failed or a figure is missing, 130 after a Ctrl-C.
    """
    options = _options(argv)
    plan = QUICK if options.quick else FULL
    try:
        machine = describe_machine()
        runtimes = our_runtimes(_tell)
        print(f"{', '.join(each.title for each in runtimes)}; {cores()} cores, shared by servers and client")
        print(f"load before: {machine['load before']}; above 0.5 the figures say less", flush=True)
        has_models = not {"classify", "interfaces", *FIELD_PARTS}.isdisjoint(options.only)
        classifier = find_classifier(options.model, options.labels) if has_models else None
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
    judged = _verdicts(found, [each.engine for each in runtimes])
    if found.first_calls and classifier is not None:
        print(f"classify runs {classifier.title}")
    text = [*_lines(found, judged, runtimes, plan)]
    document = Document(
        plan="quick" if options.quick else "full",
        parts=options.only,
        machine=machine,
        versions=describe_versions(runtimes, built_programs()),
        left_out=found.left_out,
        field=found.field,
        ours=_by_part(found, judged),
        text=text,
    )
    for line in text:
        print(line)
    for line in field_lines(found.field):
        print(line)
    return _publish(document, options)


def _publish(document: Document, options: argparse.Namespace) -> int:
    for part, why in document.left_out.items():
        _tell(f"{part}: left out: {why}")
    missing = missing_figures(document)
    for name in missing:
        _tell(f"{name}: the figure is missing")
    if missing:
        return 1
    left_out = document.left_out or document.field is None or document.field.left_out
    is_whole = not options.quick and tuple(options.only) == PARTS and not left_out
    folder = options.results or (RESULTS if is_whole else PARTIAL_RESULTS)
    for path in publish(document, folder):
        print(f"written: {path}")
    return 0


def _options(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure wasm_grpc against bare gRPC, native apps, and other ways to run WebAssembly.",
    )
    parser.add_argument("--quick", action="store_true", help="2 min instead of 25; coarser, fewer parts")
    parser.add_argument("--only", nargs="+", choices=PARTS, metavar="NAME", help=f"of {', '.join(PARTS)}")
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
    parser.add_argument(
        "--results",
        type=Path,
        metavar="FOLDER",
        help="write results there; by default a whole run writes to benchmarks/results, with the pages that "
        "quote it, and any other run to benchmarks/results/partial",
    )
    options = parser.parse_args(argv)
    if (options.model is None) != (options.labels is None):
        parser.error("--model and --labels go together")
    options.only = options.only or (QUICK_PARTS if options.quick else PARTS)
    return options


def _verdicts(found: Findings, engines: Sequence[str]) -> list[Verdict]:
    return verdicts(
        found.loads,
        likenesses=found.likenesses,
        streams=found.streams,
        files=found.files,
        startups=found.startups,
        first_calls=found.first_calls,
        topics=found.topics,
        dapr_calls=found.dapr_calls,
        pages=found.pages,
        reuse=found.reuse,
        interfaces=found.interfaces,
        bindgen=found.bindgen,
        engines=engines,
    )


def _by_part(found: Findings, judged: Sequence[Verdict]) -> dict[str, Any]:
    """
    Return the figures of our own parts by part, with the verdicts.
    """
    figures = asdict(found)
    loads = {part: [each for each in figures["loads"] if each["part"] == part] for part in OUR_PARTS}
    return {
        **{part: each for part, each in loads.items() if each},
        **{
            part: figures[part]
            for part in ("streams", "steps", "files", "topics", "reuse", "interfaces", "bindgen")
        },
        "dapr": figures["dapr_calls"],
        "startup": figures["startups"],
        "page": figures["pages"],
        "first calls": figures["first_calls"],
        "likenesses": figures["likenesses"],
        "verdicts": [asdict(each) for each in judged],
    }


def _lines(
    found: Findings, judged: Sequence[Verdict], runtimes: Sequence[OurRuntime], plan: Plan
) -> Iterator[str]:
    yield from _load_lines(found, runtimes, plan)
    parts: Sequence[tuple[Any, Callable[[Any], Iterator[str]]]] = (
        (found.steps, report.step_lines),
        (found.files, report.file_lines),
        (found.likenesses, report.likeness_lines),
        (found.startups, lambda each: report.startup_lines(each, plan.starts)),
        (found.first_calls, lambda each: report.first_call_lines(each, plan.starts)),
        (found.topics, report.topic_lines),
        (found.dapr_calls, report.dapr_call_lines),
        (found.pages, report.page_lines),
        (found.reuse, report.reuse_lines),
        (found.interfaces, report.interface_lines),
        (found.bindgen, report.bindgen_lines),
        (judged, report.verdict_lines),
    )
    for figures, lines in parts:
        if figures:
            yield from lines(figures)


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
