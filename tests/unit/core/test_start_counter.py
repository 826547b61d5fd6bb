"""The count that a worker shares with the server, before and after the worker's death."""

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


def test_the_server_reads_what_the_worker_counts() -> None:
    """Both have a counter over the same memory."""
    memory = mmap.mmap(-1, StartCounter.SIZE)
    worker, server = StartCounter(memory), StartCounter(memory)
    before = server.count()
    worker.begin()
    worker.begin()

    assert (before, server.count()) == (0, 2)


def test_the_last_count_outlives_the_memory() -> None:
    """Whether a dead worker had begun a guest can be asked after its memory was given back."""
    memory = mmap.mmap(-1, StartCounter.SIZE)
    StartCounter(memory).begin()
    server = StartCounter(memory)
    server.close()
    server.close()

    assert memory.closed
    assert server.count() == 1
