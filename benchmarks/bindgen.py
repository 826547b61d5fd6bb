"""What the guest interface costs: an echo of 64 KiB by a wasmedge-bindgen function, against a command's."""

from __future__ import annotations

import shutil
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cases import our_subject
from benchmarks.client import invoke_request, load_client
from benchmarks.load import Load
from benchmarks.processes import ROOT, serving
from benchmarks.reuse import RateSample, take_sample

__all__ = ["Bindgen", "measure_bindgen"]

_GUESTS = ROOT / "tests" / "conformance" / "bindgen" / "guests"
_VERSIONS = ("0.1.13", "0.4.1")
"""Of the macro: that of the original demo, and the last one."""
_COMMAND = ROOT / "functions" / "echo"
_BODY = bytes(range(256)) * 256
_CALLERS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Bindgen:
    """
    An echo of 64 KiB with 16 callers, medians over rounds in which all take turns.

    Attributes:
        rate: Requests a second.
        ratio: Of the command's requests a second in one round.
        worker_us: CPU time of a request's worker, in microseconds.
    """

    rate: float
    ratio: float
    worker_us: float


def measure_bindgen(
    engine: str, *, rounds: int, seconds: float, env: Mapping[str, str]
) -> dict[str, Bindgen]:
    """
    Start a server, and call the command and each bindgen function in turn.

    Returns:
        By version of the macro and kind of instance; the command too, as "command".

    Raises:
        ProgramError: It did not start, or a call failed.
    """
    with tempfile.TemporaryDirectory() as temporary, load_client() as client:
        folder = Path(temporary)
        functions = _write_functions(folder / "functions")
        for method in functions.values():
            (folder / method).write_bytes(invoke_request(method, _BODY).SerializeToString())
        samples: dict[str, list[RateSample]] = {name: [] for name in functions}
        with serving(our_subject(engine, str(folder / "functions")).command, env=env) as server:
            for number in range(rounds):
                # Another one goes first each round.
                for name, method in list(functions.items())[:: 1 if number % 2 else -1]:
                    message = str(folder / method)
                    load = Load(address=server.address, message=message, callers=_CALLERS, seconds=seconds)
                    samples[name].append(take_sample(client, server, load))
    return {name: _compare(taken, samples["command"]) for name, taken in samples.items()}


def _write_functions(folder: Path) -> dict[str, str]:
    """
    Write the functions. Return the method of each by its name for people.
    """
    shutil.copytree(_COMMAND, folder / "echo")
    methods = {"command": "echo"}
    for version in _VERSIONS:
        for reuse in ("fresh", "warm"):
            place = folder / f"bindgen-{version.replace('.', '-')}-{reuse}"
            place.mkdir()
            shutil.copy(_GUESTS / f"{version}.wasm", place / "guest.wasm")
            (place / "function.toml").write_text(
                f'name = "{place.name}"\nmodule = "guest.wasm"\nguest = "wasmedge-bindgen"\n'
                f'[limits]\nqueue_wait = "20s"\n[pool]\nreuse = "{reuse}"\n'
                f'[[trigger.invoke]]\nmethod = "{place.name}"\ncall = "echo"\n',
                "utf-8",
            )
            methods[f"{version}, {reuse}"] = place.name
    return methods


def _compare(taken: Sequence[RateSample], command: Sequence[RateSample]) -> Bindgen:
    return Bindgen(
        rate=statistics.median(each.rate for each in taken),
        ratio=statistics.median(each.rate / other.rate for each, other in zip(taken, command, strict=True)),
        worker_us=statistics.median(each.worker_us for each in taken),
    )
