"""Runs `guest_cost` under each worker's interpreter."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence

from benchmarks.processes import ROOT, ProgramError
from benchmarks.runtimes import OurRuntime

__all__ = ["Steps", "measure_steps"]

_MODULE = "functions/echo/echo.wasm"
_SIZES = {"64 B": 64, "64 KiB": 64 * 1024}

Steps = dict[str, dict[str, dict[str, float]]]
"""By engine, size of the body and step: microseconds."""


def measure_steps(runtimes: Sequence[OurRuntime]) -> Steps:
    """
    Time the steps of an echo inside a worker of each engine.

    Raises:
        ProgramError: It failed; why is on standard error.
    """
    return {
        runtime.engine: {name: _measure(runtime, size) for name, size in _SIZES.items()}
        for runtime in runtimes
    }


def _measure(runtime: OurRuntime, size: int) -> dict[str, float]:
    command = [runtime.python, "-m", "benchmarks.guest_cost", runtime.engine, _MODULE, str(size)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=False)
    if done.returncode:
        raise ProgramError(f"{' '.join(command)}: ended with {done.returncode}; see above")
    medians: dict[str, float] = json.loads(done.stdout)
    return medians
