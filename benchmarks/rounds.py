"""The loads in rounds, the servers taking turns, so that whatever slows the machine slows them all."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from benchmarks.cases import Case, Subject
from benchmarks.client import LoadClient, invoke_request
from benchmarks.load import Load
from benchmarks.machine import cpu_time
from benchmarks.processes import Server
from benchmarks.results import CaseResult, Sample, fastest, ratio, summarise

__all__ = ["run_rounds"]

_Samples = dict[tuple[str, str], list[Sample]]
"""By case and subject, a sample a round."""


def run_rounds(
    cases: Sequence[Case],
    servers: Mapping[Subject, Server],
    client: LoadClient,
    *,
    rounds: int,
    seconds: float,
    tell: Callable[[str], None],
) -> list[CaseResult]:
    """
    Put every load on every server that takes it, `rounds` times for `seconds` each.

    Args:
        cases: The loads.
        servers: They run already.
        client: Makes the calls.
        rounds: How often each pair is measured.
        seconds: How long.
        tell: Told of each round as it begins.

    Raises:
        ProgramError: A call failed.
    """
    samples: _Samples = {}
    with tempfile.TemporaryDirectory() as folder:
        messages = {case.title: Path(folder, f"{number}.message") for number, case in enumerate(cases)}
        for case in cases:
            messages[case.title].write_bytes(invoke_request(case.method, case.body).SerializeToString())
        for number in range(rounds):
            tell(f"round {number + 1} of {rounds}")
            for case in cases:
                for subject in _turns(case, servers, number):
                    load = Load(
                        address=servers[subject].address,
                        message=str(messages[case.title]),
                        callers=case.callers,
                        seconds=seconds,
                    )
                    taken = samples.setdefault((case.title, subject.key), [])
                    taken.append(_sample(client, servers[subject].pid, load))
    return [_result(case, samples) for case in cases]


def _turns(case: Case, subjects: Iterable[Subject], number: int) -> Sequence[Subject]:
    """
    Return those that take this load; another one goes first each round.
    """
    taking = [each for each in case.takers(subjects) if number == 0 or each.key not in case.slow]
    first = number % len(taking)
    return taking[first:] + taking[:first]


def _sample(client: LoadClient, server_pid: int, load: Load) -> Sample:
    before, client_before = cpu_time(server_pid), cpu_time(client.pid)
    outcome = client.run(load)
    used, client_used = cpu_time(server_pid).since(before), cpu_time(client.pid).since(client_before)
    # The warm-up's calls cost as much as those that count.
    share = outcome.requests / outcome.all_requests
    return Sample(
        requests=outcome.requests,
        seconds=outcome.seconds,
        p50_ms=outcome.p50_ms,
        p99_ms=outcome.p99_ms,
        server_s=used.own_s * share,
        children_s=used.children_s * share,
        client_s=client_used.own_s * share,
    )


def _result(case: Case, samples: _Samples) -> CaseResult:
    taken = {subject: rounds for (title, subject), rounds in samples.items() if title == case.title}
    subjects = {subject: summarise(rounds) for subject, rounds in taken.items()}
    baseline = fastest(case.baselines, subjects)
    return CaseResult(
        title=case.title,
        part=case.part,
        callers=case.callers,
        baseline=baseline,
        subjects=subjects,
        ratios={subject: ratio(rounds, taken[baseline][: len(rounds)]) for subject, rounds in taken.items()},
    )
