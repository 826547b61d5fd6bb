"""The programs that the benchmark starts, asks for one line, and ends."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

__all__ = ["ROOT", "ProgramError", "Server", "program", "serving"]

ROOT = Path(__file__).resolve().parent.parent
"""The top of the repository, where ``python -m benchmarks.…`` finds this package."""

_START_S = 60.0
"""The longest wait for a server; the first start compiles the functions."""
_STOP_S = 10.0


class ProgramError(Exception):
    """
    A program did not do what it was started for; the text says which and why.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """
    A server that serves.

    Attributes:
        pid: Its process.
        address: ``host:port``.
        start_s: From its start to the line that says so.
    """

    pid: int
    address: str
    start_s: float


@contextlib.contextmanager
def program(
    command: Sequence[str],
    *,
    stdout: IO[bytes] | int = subprocess.PIPE,
    stderr: IO[bytes] | None = None,
    env: Mapping[str, str] | None = None,
    stop_s: float = _STOP_S,
) -> Iterator[subprocess.Popen[str]]:
    """
    Run a program, with pipes to what isn't named; at the end it is asked to stop, then made to.
    """
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=stderr,
        text=True,
        # A Ctrl-C is for the benchmark, which ends what it started.
        start_new_session=True,
    )
    try:
        yield process
    finally:
        _stop(process, stop_s)


@contextlib.contextmanager
def serving(
    command: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    start_s: float = _START_S,
    stop_s: float = _STOP_S,
) -> Iterator[Server]:
    """
    Run a server until the end.

    Args:
        command: Starts it.
        env: Further variables.
        start_s: The longest wait for it.
        stop_s: How long it may take to stop before it is killed.

    Raises:
        ProgramError: It ended, or took too long, before it said ``serving host:port``.
    """
    with tempfile.TemporaryFile() as stderr:
        begin = time.perf_counter()
        with program(command, stderr=stderr, env=env, stop_s=stop_s) as process:
            address = _address(process, start_s)
            took_s = time.perf_counter() - begin
            if not address:
                stderr.seek(0)
                said = stderr.read().decode("utf-8", "replace").strip() or "it said nothing"
                raise ProgramError(f"{' '.join(command)}: serves nothing: {said.splitlines()[-1]}")
            yield Server(pid=process.pid, address=address, start_s=took_s)


def _address(process: subprocess.Popen[str], patience_s: float) -> str:
    watchdog = threading.Timer(patience_s, process.kill)
    watchdog.start()
    try:
        for line in process.stdout or ():
            word, _, rest = line.partition(" ")
            if word == "serving":
                return rest.split()[0]
    finally:
        watchdog.cancel()
    return ""


def _stop(process: subprocess.Popen[str], stop_s: float) -> None:
    process.terminate()
    try:
        process.communicate(timeout=stop_s)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
