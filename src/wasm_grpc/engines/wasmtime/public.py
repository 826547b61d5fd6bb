"""Wasmtime through the documented classes of its package: the slower but stable fallback."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import wasmtime
from wasmtime import Func, Linker, Memory, Module, Store, Trap, WasmtimeError

from wasm_grpc.core.model import EngineName
from wasm_grpc.engines import traps
from wasm_grpc.engines.binary.rewrite import START_EXPORT
from wasm_grpc.engines.protocol import UNLIMITED_INSTANCES, Context, FuncType, HostModules, Value
from wasm_grpc.engines.running import HostCallEnded, Running, bind_host, empty_memory
from wasm_grpc.engines.values import has_numbers_only, narrow_arguments
from wasm_grpc.engines.wasmtime.compiling import compile_module
from wasm_grpc.engines.wasmtime.errors import as_artifact_error, as_guest_trap
from wasm_grpc.engines.wasmtime.settings import make_config, target, wasmtime_version
from wasm_grpc.engines.wasmtime.types import as_func_type, as_wasmtime

__all__ = ["PublicEngine", "PublicInstance", "PublicPrepared"]


class PublicEngine:
    """
    An `Engine` over the public classes.
    """

    name = EngineName.WASMTIME.value
    limits_instances = True
    instances = UNLIMITED_INSTANCES

    def __init__(self) -> None:
        self.version = wasmtime_version()
        self.target = target()
        self._engine = wasmtime.Engine(make_config())

    def compile(self, wasm: bytes) -> bytes:
        """
        See `Engine.compile`.
        """
        return compile_module(self._engine, wasm)

    def load(self, artifact: bytes, hosts: HostModules) -> PublicPrepared:
        """
        See `Engine.load`.
        """
        try:
            return PublicPrepared(self._engine, Module.deserialize(self._engine, artifact), hosts)
        except WasmtimeError as exc:
            raise as_artifact_error(exc) from exc


class PublicPrepared:
    """
    A `Prepared` over the public classes.
    """

    def __init__(self, engine: wasmtime.Engine, module: Module, hosts: HostModules) -> None:
        self._engine = engine
        self._running = Running()
        linker = Linker(engine)
        # Go imports fd_write twice, but a linker accepts each name only once.
        for module_name, name in dict.fromkeys((item.module, item.name or "") for item in module.imports):
            host = hosts[module_name, name]
            call = bind_host(self._running, f"{module_name}.{name}", host)
            linker.define_func(module_name, name, as_wasmtime(host.type), call)
        types = {
            item.name: as_func_type(item.type)
            for item in module.exports
            if isinstance(item.type, wasmtime.FuncType)
        }
        self._functions = {name: kind for name, kind in types.items() if has_numbers_only(kind)}
        self._pre = linker.instantiate_pre(module)
        self._linker = linker

    def function_type(self, name: str) -> FuncType | None:
        """
        See `Prepared.function_type`.
        """
        return self._functions.get(name)

    def instantiate(self, context: Context, *, memory_bytes: int) -> PublicInstance:
        """
        See `Prepared.instantiate`.
        """
        store = Store(self._engine)
        store.set_limits(memory_size=memory_bytes)
        try:
            instance = self._pre.instantiate(store)
        except (Trap, WasmtimeError) as exc:
            store.close()
            raise as_guest_trap(exc) from exc
        return PublicInstance(self._running, context, store, dict(instance.exports(store)))


class PublicInstance:
    """
    An `Instance` over the public classes.
    """

    def __init__(self, running: Running, context: Context, store: Store, exports: dict[str, object]) -> None:
        self._running = running
        self._context = context
        self._store = store
        self._exports = exports
        memory = exports.get("memory")
        self._memories = [item for item in exports.values() if isinstance(item, Memory)]
        context.memory = partial(_view, memory, store) if isinstance(memory, Memory) else empty_memory

    def start(self) -> None:
        """
        See `Instance.start`.
        """
        if START_EXPORT in self._exports:
            self.call(START_EXPORT)

    def call(self, export: str, *args: Value) -> Sequence[Value]:
        """
        See `Instance.call`.
        """
        function = self._exports.get(export)
        kind = as_func_type(function.type(self._store)) if isinstance(function, Func) else None
        if not isinstance(function, Func) or kind is None or not has_numbers_only(kind):
            raise traps.missing_function(export)
        values = narrow_arguments(kind, args)
        running = self._running
        outer, running.context = running.context, self._context
        try:
            results = function(self._store, *values)
        except (Trap, WasmtimeError, HostCallEnded) as exc:
            raise running.take_exception() or as_guest_trap(exc)  # noqa: B904 - a fault keeps its own cause
        finally:
            running.context = outer
        if results is None:
            return ()
        return tuple(results) if isinstance(results, list) else (results,)

    def memory_bytes(self) -> int:
        """
        See `Instance.memory_bytes`.
        """
        return sum(memory.data_len(self._store) for memory in self._memories)

    def close(self) -> None:
        """
        See `Instance.close`.
        """
        self._context.memory = empty_memory
        self._exports, self._memories = {}, []
        self._store.close()


def _view(memory: Memory, store: Store) -> memoryview:
    return memoryview(memory.get_buffer_ptr(store)).cast("B")
