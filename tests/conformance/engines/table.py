"""The engines that the conformance cases run on, and the guests that they run."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Mapping
from pathlib import Path

from wasm_grpc.core.model import MIB, EngineName
from wasm_grpc.engines.limits import write_limits
from wasm_grpc.engines.protocol import Context, Engine, FuncType, HostFunction, HostModules, Prepared, Value
from wasm_grpc.engines.registry import open_engine

__all__ = ["ENGINES", "Seen", "assemble", "guest", "host_call", "load"]

_GUESTS = Path(__file__).with_name("wat")


def _open_wasmtime(api: str) -> Engine:
    from wasm_grpc.engines.wasmtime.opening import (  # noqa: PLC0415 - not in every interpreter
        WasmtimeApi,
        open_wasmtime,
    )

    return open_wasmtime(WasmtimeApi(api))


def _has(package: str) -> bool:
    try:
        importlib.import_module(package)
    except ImportError:
        return False
    return True


_ALL: Mapping[str, tuple[str, Callable[[], Engine]]] = {
    "wasmtime-c": ("wasmtime", functools.partial(_open_wasmtime, "c")),
    "wasmtime-public": ("wasmtime", functools.partial(_open_wasmtime, "public")),
    "wasmer": ("wasmer", functools.partial(open_engine, EngineName.WASMER)),
}
ENGINES: Mapping[str, Callable[[], Engine]] = {
    name: open_it for name, (package, open_it) in _ALL.items() if _has(package)
}
"""How each is opened; those that this interpreter has (Wasmer: CPython 3.10)."""


class Seen(Context):
    """A context that keeps what host functions were called with."""

    __slots__ = ("calls",)

    def __init__(self) -> None:
        self.calls: list[object] = []


def assemble(text: str) -> bytes:
    """Return the binary of a module in text, by whichever engine's package is here."""
    for package in ("wasmtime", "wasmer"):
        try:
            return bytes(importlib.import_module(package).wat2wasm(text))
        except ImportError:
            continue
    raise AssertionError("no engine's package is here")


def guest(name: str) -> bytes:
    """Return the binary of one guest of this folder."""
    return assemble((_GUESTS / f"{name}.wat").read_text())


def host_call(call: Callable[..., Value | None], params: str = "i32", results: str = "") -> HostModules:
    """Return the one import ``host.call``."""
    return {("host", "call"): HostFunction(FuncType(tuple(params.split()), tuple(results.split())), call)}


def load(engine: Engine, name: str, hosts: HostModules, *, memory_bytes: int = MIB) -> Prepared:
    """Compile and load one guest of this folder, under limits."""
    return engine.load(engine.compile(write_limits(guest(name), memory_bytes=memory_bytes)), hosts)
