"""
Entry of a worker or compile process: ``python -m wasm_grpc.worker serve|compile --fd N …``.

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
from dataclasses import dataclass

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
from wasm_grpc.worker.compiling import compile_one
from wasm_grpc.worker.confinement import confine, sandbox
from wasm_grpc.worker.frame_socket import FrameSocket
from wasm_grpc.worker.inspecting import inspect_one
from wasm_grpc.worker.loop import serve


@dataclass(frozen=True, slots=True)
class _Options:
    """
    What the server starts the process with: flags of the form ``--name=value``.

    Attributes:
        compiles: It does one job of a compile process, instead of running guests.
        fd: The socket to the server.
        counter: The memory of the `StartCounter`.
        engine: The engine to open.
        memory_bytes: Writable memory that the process may use.
        cpu_s: CPU seconds of the whole process.
    """

    compiles: bool
    fd: int
    counter: int
    engine: EngineName
    memory_bytes: int
    cpu_s: int | None


def main(argv: Sequence[str]) -> int:
    """
    Serve until the server closes the socket; returns the exit code.
    """
    options = _read_options(argv)
    confine(cpu_s=options.cpu_s)
    keep_freed_memory()
    frames = FrameSocket(socket.socket(fileno=options.fd))
    frames.send(Hello(__version__, WIRE_VERSION))
    try:
        engine = open_engine(options.engine)
    except WasmGrpcError as exc:
        frames.send(EngineFailed(str(exc)))
        return 1
    is_sealed = sandbox(memory_bytes=options.memory_bytes)
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
    if options.compiles:
        _do_one(frames, engine)
        return 0
    counter = mmap.mmap(options.counter, StartCounter.SIZE)
    os.close(options.counter)
    return serve(frames, engine, StartCounter(counter))


def _read_options(argv: Sequence[str]) -> _Options:
    # Not argparse, whose import would cost every worker's start 5 ms: the server alone writes these.
    job, *flags = argv
    values = dict(flag.removeprefix("--").split("=", 1) for flag in flags)
    cpu_s = values.get("cpu-s")
    return _Options(
        compiles=job == "compile",
        fd=int(values["fd"]),
        counter=int(values["counter"]),
        engine=EngineName(values["engine"]),
        memory_bytes=int(values["memory-bytes"]),
        cpu_s=None if cpu_s is None else int(cpu_s),
    )


def _do_one(frames: FrameSocket, engine: Engine) -> None:
    task = frames.receive()
    if isinstance(task, Compile):
        compile_one(frames, engine, task)
    elif isinstance(task, Inspect):
        inspect_one(frames, task)
    elif task is not None:
        raise ProtocolError(f"{task.kind.name} frame where COMPILE or INSPECT was expected")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
