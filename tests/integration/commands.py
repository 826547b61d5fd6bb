"""The command line run to its end, as a person runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Ended", "run_command", "run_shell"]


@dataclass(frozen=True)
class Ended:
    """How a command ended, and all that it printed."""

    code: int
    stdout: bytes
    stderr: str

    @property
    def errors(self) -> list[str]:
        """The lines of standard error."""
        return self.stderr.splitlines()


def run_command(
    *arguments: str | Path, env: Mapping[str, str], stdin: bytes = b"", cwd: Path | None = None
) -> Ended:
    """Run ``wasm-grpc`` with these arguments."""
    return _run([sys.executable, "-m", "wasm_grpc", *map(str, arguments)], env=env, stdin=stdin, cwd=cwd)


def run_shell(command: str, *, env: Mapping[str, str], cwd: Path) -> Ended:
    """Run a line of the shell."""
    return _run(["sh", "-c", command], env=env, stdin=b"", cwd=cwd)


def _run(command: list[str], *, env: Mapping[str, str], stdin: bytes, cwd: Path | None) -> Ended:
    foreign = ("APP_", "DAPR_", "WASM_GRPC_")
    own = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
    ended = subprocess.run(
        command, input=stdin, capture_output=True, env={**own, **env}, cwd=cwd, timeout=60, check=False
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr.decode())
