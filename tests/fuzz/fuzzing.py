"""Fuzz a target in a child process, and say which input failed if one did."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fuzz.mutation import input_of
from fuzz.targets import REPOSITORY, TARGETS

__all__ = ["Fuzzed", "fuzz", "interpreter"]

_HANGS_S = 60
"""How much longer than it was told a child may take; no input takes a second."""


@dataclass(frozen=True, slots=True)
class Fuzzed:
    """
    What came of it.

    Attributes:
        count: How many inputs were tried.
        problem: What an input did; "" if all did well.
        seed: The seed.
        number: The number of the input that failed.
        content: That input.
    """

    count: int
    problem: str = ""
    seed: int = 0
    number: int = 0
    content: bytes = b""

    def __str__(self) -> str:
        if not self.problem:
            return f"{self.count} inputs"
        return f"seed {self.seed}, input {self.number}: {self.content!r}\n{self.problem}"


def interpreter(engine: str) -> Path | None:
    """Return the interpreter that has an engine, or None if there is none."""
    if engine == "wasmer" and sys.version_info >= (3, 11):
        beside = Path(sys.prefix).parent / ".venv-wasmer" / "bin" / "python"
        return beside if beside.exists() else None
    return Path(sys.executable)


def fuzz(name: str, *, seed: int, count: int = 1 << 62, seconds: float = 1e9, first: int = 0) -> Fuzzed:
    """
    Try inputs of a target, until so many were tried or so much time has passed.

    Args:
        name: The target.
        seed: Decides, with its number, what an input is.
        count: How many.
        seconds: How long.
        first: The number of the first input.
    """
    target = TARGETS[name]
    python = interpreter(target.engine)
    assert python is not None
    seeds = target.seeds()
    job = {
        "target": name,
        "engine": target.engine,
        "module": str(REPOSITORY / "functions/grayscale/grayscale.wasm"),
        "seed": seed,
        "first": first,
        "count": count,
        "seconds": seconds,
    }
    with tempfile.TemporaryDirectory() as folder:
        _write(Path(folder), job, seeds, target.words)
        path = os.pathsep.join(str(REPOSITORY / part) for part in ("tests", "."))
        problem = _run([str(python), "-m", "fuzz.child", folder], path, limit_s=min(seconds, 1e6) + _HANGS_S)
        number = int.from_bytes((Path(folder) / "progress").read_bytes(), "little")
    if not problem:
        return Fuzzed(number - first)
    content = input_of(seeds, target.words, seed=seed, number=number)
    return Fuzzed(number - first, problem, seed, number, content)


def _write(folder: Path, job: dict[str, object], seeds: Sequence[bytes], words: Sequence[bytes]) -> None:
    (folder / "job.json").write_text(json.dumps(job))
    (folder / "progress").write_bytes(bytes(8))
    for kind, contents in (("seed", seeds), ("word", words)):
        for place, content in enumerate(contents):
            (folder / f"{kind}-{place:03}").write_bytes(content)


def _run(command: list[str], path: str, *, limit_s: float) -> str:
    """Run the child, and return what was wrong."""
    try:
        ended = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=limit_s,
            env={**os.environ, "PYTHONPATH": path},
        )
    except subprocess.TimeoutExpired:
        return f"it did not end within {limit_s:g} s"
    if ended.returncode == 0:
        return ""
    if ended.returncode == 3:
        return ended.stdout
    return f"its process ended with {ended.returncode}: {ended.stderr[-2000:]}"
