"""Compile a module in a compile process: check it, write its limits into it, compile it."""

from __future__ import annotations

from wasm_grpc.core.artifact import code_limit_bytes
from wasm_grpc.core.errors import ConfigError, ModuleError, UnsupportedModuleError
from wasm_grpc.core.memory_limits import check_minimum
from wasm_grpc.core.wire import Compile, Compiled, CompileRefused
from wasm_grpc.engines.binary import read_module
from wasm_grpc.engines.limits import minimum_bytes, write_limits
from wasm_grpc.engines.protocol import Engine
from wasm_grpc.guests.registry import guest_for
from wasm_grpc.worker.frame_socket import FrameSocket

__all__ = ["compile_one"]


def compile_one(frames: FrameSocket, engine: Engine, task: Compile) -> None:
    """
    Answer COMPILE with COMPILED, or with COMPILE_REFUSED and every problem that was found.
    """
    try:
        module = read_module(task.module)
        problems = guest_for(task.guest).check(module)
        if problems:
            frames.send(CompileRefused(tuple(problems), is_unsupported=False))
            return
        check_minimum(minimum_bytes(module), task.memory_bytes)
        artifact = engine.compile(write_limits(task.module, memory_bytes=task.code_memory_bytes))
        _check_size(artifact, task.module)
    except ConfigError as exc:
        is_unsupported = isinstance(exc, UnsupportedModuleError)
        frames.send(CompileRefused((str(exc),), is_unsupported))
        return
    imports = tuple(sorted({imported.module for imported in module.imports}))
    frames.send(Compiled(code=artifact, minimum_bytes=minimum_bytes(module), imports=imports))


def _check_size(artifact: bytes, module: bytes) -> None:
    limit = code_limit_bytes(len(module))
    if len(artifact) > limit:
        raise ModuleError(
            f"module of {len(module)} bytes makes {len(artifact)} bytes of native code; "
            f"expected at most {limit}"
        )
