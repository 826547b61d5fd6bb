"""Open Wasmtime over its C API if a self-test passes in this process, else over its public classes."""

from __future__ import annotations

import enum

import wasmtime

from wasm_grpc.core.errors import EngineUnavailableError
from wasm_grpc.core.model import PAGE_BYTES
from wasm_grpc.engines.protocol import Context, Engine, FuncType, HostFunction, Value
from wasm_grpc.engines.wasmtime.compiling import compile_module
from wasm_grpc.engines.wasmtime.public import PublicEngine
from wasm_grpc.engines.wasmtime.settings import make_config, wasmtime_version

__all__ = ["WasmtimeApi", "open_wasmtime"]

_C_API_MAJOR = "50."
"""The release whose private C signatures `capi` uses. A wrong signature could crash the process."""

# (module
#   (import "h" "f" (func (param i32 i64 f32 f64) (result i64)))
#   (memory (export "memory") 1)
#   (func (export "run") (param i32 i64 f32 f64) (result i64)
#     (call 0 (local.get 0) (local.get 1) (local.get 2) (local.get 3))))
_CHECK_MODULE = bytes.fromhex(
    "0061736d01000000"
    "010901" + "60047f7e7d7c017e"
    "020701" + "01680166" + "0000"
    "03020100"
    "0503010001"
    "071002" + "066d656d6f7279" + "0200" + "0372756e" + "0001"
    "0a0e010c00" + "2000200120022003" + "1000" + "0b"
)
_CHECK_ARGUMENTS: tuple[Value, ...] = (-5, 1 << 40, 1.5, -0.25)
_CHECK_RESULT = -(1 << 50)


class WasmtimeApi(enum.Enum):
    """
    The API through which Wasmtime is used.
    """

    AUTO = "auto"
    C = "c"
    PUBLIC = "public"


def open_wasmtime(api: WasmtimeApi = WasmtimeApi.AUTO) -> Engine:
    """
    Open Wasmtime in this process.

    Raises:
        EngineUnavailableError: The C API was requested and doesn't work here.
    """
    if api is WasmtimeApi.PUBLIC:
        return PublicEngine()
    try:
        return _open_c_api()
    except Exception as exc:
        # A private API may fail in any way, and there is a fallback.
        if api is WasmtimeApi.C:
            raise EngineUnavailableError(
                f"Wasmtime's C API does not work here: {exc}; expected the choice 'auto'"
            ) from exc
        import logging

        logging.getLogger(__name__).warning(
            "Wasmtime's C API does not work here, so calls are slower: %s", exc
        )
        return PublicEngine()


def _open_c_api() -> Engine:
    if not wasmtime_version().startswith(_C_API_MAJOR):
        raise ImportError(f"wasmtime is {wasmtime_version()}; expected {_C_API_MAJOR}x")
    from wasm_grpc.engines.wasmtime.capi import CApiEngine

    engine = CApiEngine()
    _check(engine)
    return engine


def _check(engine: Engine) -> None:
    """
    Run a tiny module and compare the values that crossed between host and guest.

    Raises:
        RuntimeError: A value differs.
    """
    seen: list[tuple[Value, ...]] = []

    def record(context: Context, *args: Value) -> Value:
        seen.append(args)
        context.memory()[0] = 7
        return _CHECK_RESULT

    host = HostFunction(FuncType(("i32", "i64", "f32", "f64"), ("i64",)), record)
    context = Context()
    # Without threads, since a template is forked later.
    artifact = compile_module(wasmtime.Engine(make_config(on_one_thread=True)), _CHECK_MODULE)
    instance = engine.load(artifact, {("h", "f"): host}).instantiate(context, memory_bytes=PAGE_BYTES)
    results = tuple(instance.call("run", *_CHECK_ARGUMENTS))
    found = (seen, results, context.memory()[0], instance.memory_bytes())
    instance.close()
    if found != ([_CHECK_ARGUMENTS], (_CHECK_RESULT,), 7, 65_536):
        raise RuntimeError(f"the self-test returned {found}")
