"""
Entry of a worker or compile process: ``python -m wasm_grpc.worker serve|compile --fd=N …``.

Started by the server only. It says HELLO over the inherited socket, then runs what it is sent
until the socket closes, or compiles one module or tries one model.
"""

from __future__ import annotations

import gc
import mmap
import os
import platform
import socket
import sys
from collections.abc import Sequence

from wasm_grpc import __version__
from wasm_grpc.core.errors import ProtocolError, WasmGrpcError
from wasm_grpc.core.heap import keep_freed_memory
from wasm_grpc.core.model import EngineName
from wasm_grpc.core.start_counter import StartCounter
from wasm_grpc.core.wire import (
    WIRE_VERSION,
    Compile,
    EngineFailed,
    EngineOpened,
    Hello,
    Inspect,
)
from wasm_grpc.engines.protocol import Engine
from wasm_grpc.engines.registry import open_engine
from wasm_grpc.worker.confinement import confine, sandbox
from wasm_grpc.worker.frame_socket import FrameSocket
from wasm_grpc.worker.loop import serve


def main(argv: Sequence[str]) -> int:
    """
    Serve until the server closes the socket; returns the exit code.
    """
    # Not argparse, whose import would cost every worker's start 5 ms: the server alone writes these.
    job, *rest = argv
    flags = dict(flag.removeprefix("--").split("=", 1) for flag in rest)
    counter_fd = int(flags["counter"])
    confine(cpu_s=int(flags["cpu-s"]) if "cpu-s" in flags else None)
    keep_freed_memory()
    frames = FrameSocket(socket.socket(fileno=int(flags["fd"])))
    frames.send(Hello(__version__, WIRE_VERSION))
    try:
        engine = open_engine(EngineName(flags["engine"]))
    except WasmGrpcError as exc:
        frames.send(EngineFailed(str(exc)))
        return 1
    is_sealed = sandbox(memory_bytes=int(flags["memory-bytes"]))
    frames.send(
        EngineOpened(
            python=f"{platform.python_implementation()} {platform.python_version()}",
            version=engine.version,
            target=engine.target,
            is_sealed=is_sealed,
            limits_instances=engine.limits_instances,
        )
    )
    # What lives now lives until the end: the collector needn't walk it at each round.
    gc.collect()
    gc.freeze()
    if job == "compile":
        _do_one(frames, engine)
        return 0
    counter = mmap.mmap(counter_fd, StartCounter.SIZE)
    os.close(counter_fd)
    return serve(frames, engine, StartCounter(counter))


def _do_one(frames: FrameSocket, engine: Engine) -> None:
    # Not at the top: a worker that runs guests needs neither, and its imports are most of its start.
    from wasm_grpc.worker.compiling import compile_one  # noqa: PLC0415
    from wasm_grpc.worker.inspecting import inspect_one  # noqa: PLC0415

    task = frames.receive()
    if isinstance(task, Compile):
        compile_one(frames, engine, task)
    elif isinstance(task, Inspect):
        inspect_one(frames, task)
    elif task is not None:
        raise ProtocolError(f"{task.kind.name} frame where COMPILE or INSPECT was expected")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
