"""
Entry point of a worker, template or compile process: ``python -m wasm_grpc.worker serve --fd=N …``.

Only the server starts it. It sends HELLO over the inherited socket. Then it does its job, until the socket
closes: ``serve`` runs invocations, ``template`` loads functions and forks workers that have them, and
``compile`` compiles one module or tries one model.
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
from wasm_grpc.core.errors import WasmGrpcError
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
    out_of_place,
)
from wasm_grpc.engines.protocol import Engine
from wasm_grpc.engines.registry import open_engine
from wasm_grpc.worker.confinement import confine, name_process, sandbox
from wasm_grpc.worker.frame_socket import FrameSocket
from wasm_grpc.worker.functions import LoadedFunctions
from wasm_grpc.worker.loop import serve
from wasm_grpc.worker.template import serve_template


def main(argv: Sequence[str]) -> int:
    """
    Serve until the server closes the socket, and return the exit code.
    """
    # Alternative not taken: argparse, whose import would add 5 ms to the start of every worker.
    job, *rest = argv
    flags = dict(flag.removeprefix("--").split("=", 1) for flag in rest)
    counter_fd = int(flags["counter"])
    name_process("worker" if job == "serve" else job)
    confine(cpu_s=int(flags["cpu-s"]) if "cpu-s" in flags else None)
    keep_freed_memory()
    frames = FrameSocket(socket.socket(fileno=int(flags["fd"])))
    # Before the engine, which may crash this process: the server then knows how far the process came.
    frames.send(Hello(__version__, WIRE_VERSION))
    try:
        engine = open_engine(EngineName(flags["engine"]))
    except WasmGrpcError as exc:
        frames.send(EngineFailed(str(exc)))
        return 1
    is_sealed = sandbox(memory_bytes=int(flags["memory-bytes"]) if "memory-bytes" in flags else None)
    frames.send(
        EngineOpened(
            python=f"{platform.python_implementation()} {platform.python_version()}",
            version=engine.version,
            target=engine.target,
            is_sealed=is_sealed,
            limits_instances=engine.limits_instances,
        )
    )
    # All objects of now live until the process ends, so the garbage collector need not visit them again.
    gc.collect()
    gc.freeze()
    if job == "compile":
        _do_one(frames, engine)
        return 0
    functions = LoadedFunctions(engine)
    if job == "template":
        os.close(counter_fd)
        return serve_template(frames, socket.socket(fileno=int(flags["forks"])), functions)
    counter = mmap.mmap(counter_fd, StartCounter.SIZE)
    os.close(counter_fd)
    return serve(frames, functions, StartCounter(counter))


def _do_one(frames: FrameSocket, engine: Engine) -> None:
    # Not at the top, because a worker needs neither of them, and imports take most of the time of its start.
    from wasm_grpc.worker.compiling import compile_one  # noqa: PLC0415
    from wasm_grpc.worker.inspecting import inspect_one  # noqa: PLC0415

    task = frames.receive()
    if isinstance(task, Compile):
        compile_one(frames, engine, task)
    elif isinstance(task, Inspect):
        inspect_one(frames, task)
    elif task is not None:
        raise out_of_place(task, "COMPILE or INSPECT")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
