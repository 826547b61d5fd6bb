"""The count that a worker shares with the server, before and after the worker's death."""

from __future__ import annotations

import mmap

from wasm_grpc.core.start_counter import StartCounter


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
