"""Describe a module in a compile process: the server never reads what it doesn't trust."""

from __future__ import annotations

from wasm_grpc.core.errors import ModuleError
from wasm_grpc.core.wire import CompileRefused, Describe
from wasm_grpc.engines.binary import read_module
from wasm_grpc.guests.description import describe
from wasm_grpc.worker.frame_socket import FrameSocket

__all__ = ["describe_one"]


def describe_one(frames: FrameSocket, task: Describe) -> None:
    """
    Answer DESCRIBE with DESCRIBED, or with COMPILE_REFUSED if the module can't be read.
    """
    try:
        module = read_module(task.module)
    except ModuleError as exc:
        frames.send(CompileRefused((str(exc),), is_unsupported=False))
        return
    frames.send(describe(module))
