"""The counter that a worker shares with the server."""

from __future__ import annotations

import mmap
import subprocess
import sys
import tempfile

from wasm_grpc.core.start_counter import StartCounter

COUNTS = 300_000
WORKER = f"""
import mmap, sys
from wasm_grpc.core.start_counter import StartCounter
counter = StartCounter(mmap.mmap(int(sys.argv[1]), StartCounter.SIZE))
for _ in range({COUNTS}):
    counter.begin()
"""


def test_a_count_that_is_read_while_it_grows() -> None:
    """The server reads a count of a running worker, and never less than the last one."""
    with tempfile.TemporaryFile() as file:
        file.truncate(StartCounter.SIZE)
        counter = StartCounter(mmap.mmap(file.fileno(), StartCounter.SIZE))
        command = [sys.executable, "-c", WORKER, str(file.fileno())]
        with subprocess.Popen(command, pass_fds=[file.fileno()]) as worker:
            last = 0
            while last < COUNTS and worker.poll() is None:
                for _ in range(1000):
                    count = counter.count()
                    assert count >= last
                    last = count
        assert counter.count() == COUNTS
