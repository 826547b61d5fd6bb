"""
Entry point of a base, which opens an engine and forks all other processes: ``python -m wasm_grpc.worker``.

Only the server starts it, with flags that name what it inherits. It sends HELLO over its socket, opens the
engine, and is a template that has loaded nothing from then on, until the socket closes.
"""

from __future__ import annotations

import os
import platform
import socket
import sys
from collections.abc import Sequence

from wasm_grpc import __version__
from wasm_grpc.core.errors import WasmGrpcError
from wasm_grpc.core.heap import keep_freed_memory
from wasm_grpc.core.model import EngineName
from wasm_grpc.core.wire import WIRE_VERSION, EngineFailed, EngineOpened, Hello
from wasm_grpc.engines.registry import open_engine
from wasm_grpc.worker.confinement import confine, name_process
from wasm_grpc.worker.frame_socket import FrameSocket
from wasm_grpc.worker.functions import LoadedFunctions
from wasm_grpc.worker.landlock import give_up_writing
from wasm_grpc.worker.template import serve_template
from wasm_grpc.worker.walls import missing_walls


def main(argv: Sequence[str]) -> int:
    """
    Serve until the server closes the socket, and return the exit code.
    """
    # Alternative not taken: argparse, whose import would add 5 ms to the start.
    flags = dict(flag.removeprefix("--").split("=", 1) for flag in argv)
    name_process("template")
    confine()
    keep_freed_memory()
    # It runs no guest, so it counts none.
    os.close(int(flags["counter"]))
    frames = FrameSocket(socket.socket(fileno=int(flags["fd"])))
    # Before the engine, which may crash this process: the server then knows how far the process came.
    frames.send(Hello(__version__, WIRE_VERSION))
    try:
        engine = open_engine(EngineName(flags["engine"]))
    except WasmGrpcError as exc:
        frames.send(EngineFailed(str(exc)))
        return 1
    give_up_writing()
    frames.send(
        EngineOpened(
            python=f"{platform.python_implementation()} {platform.python_version()}",
            version=engine.version,
            target=engine.target,
            missing_walls=missing_walls(),
            limits_instances=engine.limits_instances,
        )
    )
    return serve_template(frames, socket.socket(fileno=int(flags["forks"])), LoadedFunctions(engine))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
