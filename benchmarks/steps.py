"""What is measured inside a worker: runs programs such as `guest_cost` under each worker's interpreter."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

from benchmarks.processes import ROOT, ProgramError
from benchmarks.runtimes import OurRuntime

__all__ = ["FileCosts", "Steps", "measure_files", "measure_inference", "measure_steps"]

_MODULE = "functions/echo/echo.wasm"
_SIZES = {"64 B": 64, "64 KiB": 64 * 1024}

Steps = dict[str, dict[str, dict[str, float]]]
"""By engine, size of the body and step: microseconds."""

FileCosts = dict[str, dict[str, float]]
"""By engine and what was measured; see `file_cost.FILE_COSTS`."""


def measure_steps(runtimes: Sequence[OurRuntime]) -> Steps:
    """
    Time the steps of an echo inside a worker of each engine.

    Raises:
        ProgramError: It failed; why is on standard error.
    """
    return {
        runtime.engine: {
            name: _measure(runtime, "guest_cost", runtime.engine, _MODULE, str(size))
            for name, size in _SIZES.items()
        }
        for runtime in runtimes
    }


def measure_files(runtimes: Sequence[OurRuntime]) -> FileCosts:
    """
    Measure output and files inside a worker of each engine.

    Raises:
        ProgramError: As `measure_steps`.
    """
    return {runtime.engine: _measure(runtime, "file_cost", runtime.engine) for runtime in runtimes}


def measure_inference(runtime: OurRuntime, model: Path) -> dict[str, float]:
    """
    Measure a model by each interface inside a worker of an engine; see `inference_cost`.

    Raises:
        ProgramError: As `measure_steps`.
    """
    return _measure(runtime, "inference_cost", runtime.engine, str(model))


def _measure(runtime: OurRuntime, program: str, *arguments: str) -> dict[str, float]:
    command = [runtime.python, "-m", f"benchmarks.{program}", *arguments]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=False)
    if done.returncode:
        raise ProgramError(f"{' '.join(command)}: ended with {done.returncode}; see above")
    measured: dict[str, float] = json.loads(done.stdout)
    return measured
