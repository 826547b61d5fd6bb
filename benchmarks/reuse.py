"""What a warm instance brings: an echo by a waPC function with warm instances, against fresh ones."""

from __future__ import annotations

import shutil
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cases import our_subject
from benchmarks.client import LoadClient, invoke_request, load_client
from benchmarks.load import Load
from benchmarks.machine import cpu_time
from benchmarks.processes import ROOT, Server, serving

__all__ = ["RateSample", "Reuse", "measure_reuse", "take_sample"]

_GUESTS = ROOT / "tests" / "conformance" / "wapc" / "guests"
_LANGUAGES = ("rust", "go")
"""By the SDK of each: a small guest, and one whose runtime takes milliseconds to start."""
_BODY = b"0123456789abcdef" * 4
_CALLERS = 16
_QUEUE_WAIT = "20s"
"""Longer than by default, so that a busy machine doesn't end a run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reuse:
    """
    An echo of 64 bytes with 16 callers, medians over rounds in which both take turns.

    Attributes:
        fresh: Requests a second, each with an instance of its own.
        warm: Requests a second with warm instances.
        ratio: Warm over fresh in one round.
        fresh_us: CPU time of a request's worker with a fresh instance, in microseconds.
        warm_us: The same with a warm instance.
    """

    fresh: float
    warm: float
    ratio: float
    fresh_us: float
    warm_us: float


@dataclass(frozen=True, slots=True)
class RateSample:
    """
    What one load brought.

    Attributes:
        rate: Requests a second.
        worker_us: CPU time of a request's worker, in microseconds.
    """

    rate: float
    worker_us: float


def measure_reuse(engine: str, *, rounds: int, seconds: float, env: Mapping[str, str]) -> dict[str, Reuse]:
    """
    Start a server, and call the fresh and the warm function of each language in turn.

    Returns:
        By language.

    Raises:
        ProgramError: It did not start, or a call failed.
    """
    with tempfile.TemporaryDirectory() as temporary, load_client() as client:
        folder = Path(temporary)
        samples: dict[str, list[RateSample]] = {}
        for language in _LANGUAGES:
            for reuse in ("fresh", "warm"):
                name = f"{language}-{reuse}"
                _write(folder / "functions" / name, language, reuse)
                (folder / name).write_bytes(invoke_request(name, _BODY).SerializeToString())
                samples[name] = []
        with serving(our_subject(engine, str(folder / "functions")).command, env=env) as server:
            for number in range(rounds):
                # Another one goes first each round.
                for name, taken in list(samples.items())[:: 1 if number % 2 else -1]:
                    load = Load(
                        address=server.address, message=str(folder / name), callers=_CALLERS, seconds=seconds
                    )
                    taken.append(take_sample(client, server, load))
    return {
        language: _compare(samples[f"{language}-fresh"], samples[f"{language}-warm"])
        for language in _LANGUAGES
    }


def _write(place: Path, language: str, reuse: str) -> None:
    place.mkdir(parents=True)
    shutil.copy(_GUESTS / language / "guest.wasm", place)
    (place / "function.toml").write_text(
        f'name = "{place.name}"\nmodule = "guest.wasm"\nguest = "wapc"\n'
        f'[limits]\nqueue_wait = "{_QUEUE_WAIT}"\n[pool]\nreuse = "{reuse}"\n'
        f'[[trigger.invoke]]\nmethod = "{place.name}"\ncall = "echo"\n',
        "utf-8",
    )


def take_sample(client: LoadClient, server: Server, load: Load) -> RateSample:
    """
    Put a load on a server, whose workers are its children.

    Raises:
        ProgramError: A call failed.
    """
    before = cpu_time(server.pid)
    outcome = client.run(load)
    workers_s = cpu_time(server.pid).since(before).children_s
    return RateSample(outcome.requests / outcome.seconds, workers_s / outcome.all_requests * 1e6)


def _compare(fresh: Sequence[RateSample], warm: Sequence[RateSample]) -> Reuse:
    return Reuse(
        fresh=statistics.median(each.rate for each in fresh),
        warm=statistics.median(each.rate for each in warm),
        ratio=statistics.median(each.rate / other.rate for each, other in zip(warm, fresh, strict=True)),
        fresh_us=statistics.median(each.worker_us for each in fresh),
        warm_us=statistics.median(each.worker_us for each in warm),
    )
