"""One call to every server before anything is measured: is the answer right, and how good?"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from benchmarks.cases import Case, Subject
from benchmarks.client import invoke, invoke_request
from benchmarks.pictures import Likeness, likeness
from benchmarks.processes import ProgramError, Server

__all__ = ["Likenesses", "check_answers"]

Likenesses = dict[str, dict[str, Likeness]]
"""By the load's name and our engine."""


def check_answers(cases: Sequence[Case], servers: Mapping[Subject, Server]) -> Likenesses:
    """
    Compare echoes with what was sent, grey pictures with Pillow's, best labels with the native app's five.

    Raises:
        ProgramError: A call failed, or an echo or a label is wrong.
    """
    likenesses: Likenesses = {}
    labels: dict[str, list[str]] = {}
    for case in {case.name: case for case in cases}.values():
        request = invoke_request(case.method, case.body)
        for subject in case.takers(servers):
            body = invoke(servers[subject].address, request)
            if case.method == "echo" and body != case.body:
                raise ProgramError(f"{subject.title}: {case.name}: the answer is not what was sent")
            if case.method == "classify":
                found = [each["label"] for each in json.loads(body)["labels"]]
                native = labels.setdefault(case.name, found)
                # Pictures are made smaller in more than one right way.
                if found[0] not in native:
                    raise ProgramError(
                        f"{subject.title}: {case.name}: {found[0]!r}, expected one of {native}"
                    )
            if case.method == "grayscale" and subject.is_ours:
                likenesses.setdefault(case.name, {})[subject.key] = likeness(case.body, body)
    return likenesses
