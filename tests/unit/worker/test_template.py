"""A template's loop over a socket, on a machine that has no process left."""

from __future__ import annotations

import errno
import os
import socket
import threading
from pathlib import Path

import pytest

from wasm_grpc.core.wire import Fork, ForkFailed, ForkJob
from wasm_grpc.engines.fake import FakeEngine
from wasm_grpc.worker.frame_socket import FrameSocket
from wasm_grpc.worker.functions import LoadedFunctions
from wasm_grpc.worker.template import serve_template

DESCRIPTORS = Path("/proc/self/fd")


def no_process() -> int:
    """Fail as fork(2) does at the limit of processes."""
    raise OSError(errno.EAGAIN, "Resource temporarily unavailable")


@pytest.mark.skipif(not DESCRIPTORS.exists(), reason="/proc shows the descriptors")
def test_forks_that_fail_leave_nothing_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """A template outlives a shortage of processes: it answers each FORK, and closes what came with it."""
    monkeypatch.setattr(os, "fork", no_process)
    ours, theirs = socket.socketpair()
    our_forks, their_forks = socket.socketpair()
    template = threading.Thread(
        target=serve_template, args=(FrameSocket(theirs), their_forks, LoadedFunctions(FakeEngine()))
    )
    with ours, theirs, our_forks, their_forks:
        template.start()
        server = FrameSocket(ours)
        counts, answers = [], []
        for _ in range(3):
            socket.send_fds(our_forks, [b"\0"], [ours.fileno()] * 3)
            server.send(Fork(job=ForkJob.WORKER, memory_bytes=0, cpu_s=0))
            answers.append(server.receive())
            counts.append(len(list(DESCRIPTORS.iterdir())))
        ours.shutdown(socket.SHUT_RDWR)
        template.join()

    assert answers == [ForkFailed("Resource temporarily unavailable")] * 3
    assert len(set(counts)) == 1
