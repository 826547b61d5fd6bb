"""What workers have left behind, and which children of this process are others'."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from wasm_grpc.pool.children import Children

__all__: list[str] = []

GIVE_UP_PRIVILEGES = "import ctypes; ctypes.CDLL(None).prctl(38, 1, 0, 0, 0); "
WAIT = "import sys; sys.stdout.write('x'); sys.stdout.flush(); sys.stdin.read()"


@contextlib.contextmanager
def child(code: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start a process of another part of this program, which has run so much of its code."""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.read(1)
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.skipif(
    "NoNewPrivs:\t1" in Path("/proc/self/status").read_text(),
    reason="this process can gain no privileges either",
)
def test_a_child_that_can_gain_privileges_is_not_a_workers() -> None:
    """It was started by another part of the program, and is left alone."""
    children = Children()

    with child(WAIT) as process:
        assert children.end_strays() == 0
        assert process.poll() is None


def test_a_child_that_nobody_knows() -> None:
    """It is killed, and reaped by then or the next time."""
    children = Children()

    with child(GIVE_UP_PRIVILEGES + WAIT) as process:
        assert children.end_strays() == 1
        assert process.stdout is not None
        assert process.stdout.read() == b""


def test_children_that_are_known() -> None:
    """Neither one that was added, nor one that was there before, nor any while one starts."""
    with child(GIVE_UP_PRIVILEGES + WAIT) as before:
        children = Children()
        with child(GIVE_UP_PRIVILEGES + WAIT) as added:
            with children.starting():
                assert children.end_strays() == 0
            children.add(added.pid)
            assert children.end_strays() == 0
            assert (before.poll(), added.poll()) == (None, None)
