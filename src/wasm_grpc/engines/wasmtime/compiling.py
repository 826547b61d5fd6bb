"""Compile a module to Wasmtime's native code, for both adapters."""

from __future__ import annotations

import wasmtime
from wasmtime import Module, WasmtimeError

from wasm_grpc.engines.binary import read_module
from wasm_grpc.engines.binary.rewrite import defer_start
from wasm_grpc.engines.limits import check_unshared
from wasm_grpc.engines.wasmtime.errors import as_module_error

__all__ = ["compile_module"]


def compile_module(engine: wasmtime.Engine, wasm: bytes) -> bytes:
    """
    Compile a module on this engine.

    Raises:
        UnsupportedModuleError, ModuleError: See `Engine.compile`.
    """
    # With atomics enabled, Wasmtime also compiles shared memories, whatever `shared_memory` says.
    check_unshared(read_module(wasm))
    try:
        return bytes(Module(engine, defer_start(wasm)).serialize())
    except WasmtimeError as exc:
        raise as_module_error(exc) from exc
