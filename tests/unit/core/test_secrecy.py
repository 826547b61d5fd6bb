"""What a process hides from the others of its user."""

from __future__ import annotations

import subprocess
import sys

import pytest

HIDDEN = """
import os, sys
from pathlib import Path
from wasm_grpc.core.secrecy import forget_variables, hide_memory
forget_variables(["TOKEN", "OTHER_TOKEN", "MISSING"])
environment = Path("/proc/self/environ").read_bytes()
print(b"secret" in environment, b"TOKENS=shown" in environment, sorted(os.environ.keys() & {"TOKEN", "TOKENS"}))
hide_memory()
print(Path("/proc/self/environ").stat().st_uid)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows a process's environment below /proc")
def test_variables_are_forgotten() -> None:
    """Their values are gone from what the kernel shows of the environment, and no other variable is."""
    environment = {"TOKEN": "secret", "TOKENS": "shown", "OTHER_TOKEN": "another secret"}

    ended = subprocess.run(
        [sys.executable, "-c", HIDDEN], env=environment, capture_output=True, timeout=20, check=True
    )

    assert ended.stdout.decode().splitlines() == ["False True ['TOKENS']", "0"]
