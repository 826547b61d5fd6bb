"""One call to every server before anything is measured: is the answer right, and how good?"""

from __future__ import annotations

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
    Compare echoes with what was sent, and grey pictures with Pillow's.

    Raises:
        ProgramError: A call failed, or an echo is not what was sent.
    """
    likenesses: Likenesses = {}
    for case in {case.name: case for case in cases}.values():
        request = invoke_request(case.method, case.body)
        for subject in case.takers(servers):
            body = invoke(servers[subject].address, request)
            if case.method == "echo" and body != case.body:
                raise ProgramError(f"{subject.title}: {case.name}: the answer is not what was sent")
            if case.method == "grayscale" and subject.is_ours:
                likenesses.setdefault(case.name, {})[subject.key] = likeness(case.body, body)
    return likenesses
