"""
Entry of a worker or compile process: ``python -m wasm_grpc.worker serve|compile --fd N …``.

Started by the server only. It says HELLO over the inherited socket, then runs what it is sent
until the socket closes, or compiles one module or tries one model.
"""

from __future__ import annotations

import argparse
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
from wasm_grpc.worker.compiling import compile_one
from wasm_grpc.worker.confinement import confine, sandbox
from wasm_grpc.worker.frame_socket import FrameSocket
from wasm_grpc.worker.inspecting import inspect_one
from wasm_grpc.worker.loop import serve


def main(argv: Sequence[str]) -> int:
    """
    Serve until the server closes the socket; returns the exit code.
    """
    parser = argparse.ArgumentParser(prog="wasm_grpc.worker")
    parser.add_argument("job", choices=["serve", "compile"])
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--counter", type=int, required=True)
    parser.add_argument("--engine", type=EngineName, required=True)
    parser.add_argument("--memory-bytes", type=int, required=True)
    parser.add_argument("--cpu-s", type=int)
    options = parser.parse_args(argv)

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
    if options.job == "compile":
        _do_one(frames, engine)
        return 0
    counter = mmap.mmap(options.counter, StartCounter.SIZE)
    os.close(options.counter)
    return serve(frames, engine, StartCounter(counter))


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
