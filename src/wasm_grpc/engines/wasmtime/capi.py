"""
Wasmtime through the private C bindings of its package: the fast path.

Measured with an echo through host functions, a fresh instance takes a quarter of the time that it takes
with the public classes. `wasmtime._bindings` may change between versions, so this engine is opened only
through `opening`, which tests it first.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import struct
from collections.abc import Callable, Sequence
from ctypes import byref
from typing import Protocol, cast

import wasmtime
from wasmtime import Module, Trap, WasmtimeError
from wasmtime import _bindings as c

from wasm_grpc.core.model import MIB, EngineName
from wasm_grpc.engines import traps
from wasm_grpc.engines.binary.rewrite import START_EXPORT
from wasm_grpc.engines.protocol import Context, FuncType, HostFunction, HostModules, Value
from wasm_grpc.engines.running import Running, empty_memory
from wasm_grpc.engines.values import has_numbers_only, narrow_arguments
from wasm_grpc.engines.wasmtime.compiling import compile_module
from wasm_grpc.engines.wasmtime.errors import as_artifact_error, as_guest_trap
from wasm_grpc.engines.wasmtime.settings import make_config, target, wasmtime_version
from wasm_grpc.engines.wasmtime.types import as_func_type, as_wasmtime

__all__ = ["CApiEngine", "CApiInstance", "CApiPrepared"]

_KEEP_RESIDENT_BYTES = 2 * MIB
"""Memory of a freed instance that Wasmtime clears and keeps, instead of returning it to the kernel."""
_POOL_SIZES = (500, 50, 5)
"""Numbers of instances in a pool. The first one whose address space can be reserved is used."""
_INSTANCE_ADDRESSES = 5 << 30
"""Address space of one instance, rounded up: 4 GiB of memory, guard pages, tables. It takes no memory."""
_POOLED_TABLES_PER_MODULE = 4
_POOLED_TABLE_ELEMENTS = 10_000
_POOLED_INSTANCE_BYTES = 1 * MIB
"""Limit on the metadata of an instance, which grows with its imports, functions and globals."""
_MAP_NORESERVE = 0x4000
"""From Linux's ``asm-generic/mman.h``. Not every supported Python has a name for it."""

_SLOT_BYTES = 16
"""Size of ``wasmtime_val_raw_t``."""
_C_TYPES = {"i32": ctypes.c_int32, "i64": ctypes.c_int64, "f32": ctypes.c_float, "f64": ctypes.c_double}
_FORMATS = {"i32": "i12x", "i64": "q8x", "f32": "f12x", "f64": "d8x"}
_ADDRESS = ctypes.c_void_p
# Like `wasmtime_func_unchecked_callback_t`, but with plain addresses, which halves the cost of a call.
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_size_t, _ADDRESS, _ADDRESS, _ADDRESS, ctypes.c_size_t)
_NO_OTHER_LIMITS = (-1, -1, -1, -1)
"""Table elements, instances, tables, memories: no limits here, since the compiled code limits tables."""

_NO_FINALIZER = ctypes.cast(0, ctypes.CFUNCTYPE(None, _ADDRESS))

# Alternative not taken: a ctypes array type for each size costs more than a call into a guest.
_view_memory = ctypes.PYFUNCTYPE(ctypes.py_object, _ADDRESS, ctypes.c_ssize_t, ctypes.c_int)(
    ("PyMemoryView_FromMemory", ctypes.pythonapi)
)
_WRITABLE = 0x200
"""``PyBUF_WRITE`` (CPython's C API, "MemoryView objects")."""


class _Cell(Protocol):
    """
    A number in memory, as a ctypes object.
    """

    value: Value | None


class CApiEngine:
    """
    An `Engine` over the C API, with the pooling allocator.
    """

    name = EngineName.WASMTIME.value
    limits_instances = True

    def __init__(self) -> None:
        self.version = wasmtime_version()
        self.target = target()
        config = make_config()
        self.instances = _reservable_instances()
        _pool_instances(config, self.instances)
        self._pooled = wasmtime.Engine(config)
        self._plain: wasmtime.Engine | None = None

    def compile(self, wasm: bytes) -> bytes:
        """
        See `Engine.compile`.
        """
        return compile_module(self._open_plain(), wasm)

    def load(self, artifact: bytes, hosts: HostModules) -> CApiPrepared:
        """
        See `Engine.load`. A module that exceeds the pool's limits is loaded without the pool.
        """
        try:
            return CApiPrepared(self._pooled, Module.deserialize(self._pooled, artifact), hosts)
        except WasmtimeError:
            plain = self._open_plain()
        try:
            return CApiPrepared(plain, Module.deserialize(plain, artifact), hosts)
        except WasmtimeError as exc:
            raise as_artifact_error(exc) from exc

    def _open_plain(self) -> wasmtime.Engine:
        self._plain = self._plain or wasmtime.Engine(make_config())
        return self._plain


class CApiPrepared:
    """
    A `Prepared` over the C API.
    """

    def __init__(self, engine: wasmtime.Engine, module: Module, hosts: HostModules) -> None:
        self.running = Running()
        types = {
            item.name: as_func_type(item.type)
            for item in module.exports
            if isinstance(item.type, wasmtime.FuncType)
        }
        self.layouts = {name: _Layout(kind) for name, kind in types.items() if has_numbers_only(kind)}
        self.has_memory = any(
            item.name == "memory" and isinstance(item.type, wasmtime.MemoryType) for item in module.exports
        )
        self._engine = engine
        self._linker = wasmtime.Linker(engine)
        # The linker keeps only raw addresses, so the callbacks must live as long as any instance.
        self._callbacks = []
        for key in dict.fromkeys((item.module, item.name or "") for item in module.imports):
            self._callbacks.append(_define(self._linker, key, hosts[key], self.running))
        self._pre = self._linker.instantiate_pre(module)

    def function_type(self, name: str) -> FuncType | None:
        """
        See `Prepared.function_type`.
        """
        layout = self.layouts.get(name)
        return None if layout is None else layout.type

    def instantiate(self, context: Context, *, memory_bytes: int) -> CApiInstance:
        """
        See `Prepared.instantiate`.
        """
        store = c.wasmtime_store_new(self._engine.ptr(), None, _NO_FINALIZER)
        c.wasmtime_store_limiter(store, memory_bytes, *_NO_OTHER_LIMITS)
        instance = CApiInstance(self, context, store)
        trap = ctypes.POINTER(c.wasm_trap_t)()
        error = c.wasmtime_instance_pre_instantiate(
            self._pre.ptr(), instance.store, byref(instance.handle), byref(trap)
        )
        failure = _take_failure(error, trap)
        if failure is not None:
            instance.close()
            raise as_guest_trap(failure)
        instance.show_memory()
        return instance


class CApiInstance:
    """
    An `Instance` over the C API.
    """

    __slots__ = ("_context", "_found", "_memory", "_owned", "_prepared", "_size", "_view", "handle", "store")

    def __init__(self, prepared: CApiPrepared, context: Context, store: object) -> None:
        self._prepared = prepared
        self._context = context
        self._owned: object | None = store
        self._found: dict[str, c.wasmtime_extern_t] = {}
        self.store = c.wasmtime_store_context(store)
        self.handle = c.wasmtime_instance_t()
        self._memory: c.wasmtime_memory_t | None = None
        self._view = empty_memory()
        self._size = 0

    def show_memory(self) -> None:
        """
        Find the exported memory and make it available to the context. Call it once the handle is valid.
        """
        if self._prepared.has_memory:
            self._memory = self._export("memory").of.memory
        self._context.memory = self.view

    def start(self) -> None:
        """
        See `Instance.start`.
        """
        if START_EXPORT in self._prepared.layouts:
            self.call(START_EXPORT)

    def call(self, export: str, *args: Value) -> Sequence[Value]:
        """
        See `Instance.call`.
        """
        layout = self._prepared.layouts.get(export)
        if layout is None or self._owned is None:
            raise traps.missing_function(export)
        slots = layout.pack(narrow_arguments(layout.type, args))
        function = self._export(export).of.func
        trap = ctypes.POINTER(c.wasm_trap_t)()
        running = self._prepared.running
        outer, running.context = running.context, self._context
        try:
            error = c.wasmtime_func_call_unchecked(
                self.store, byref(function), slots, layout.slot_count, byref(trap)
            )
        finally:
            running.context = outer
        failure = _take_failure(error, trap)
        if failure is not None:
            raise running.take_exception() or as_guest_trap(failure)
        return layout.unpack(slots)

    def memory_bytes(self) -> int:
        """
        See `Instance.memory_bytes`.
        """
        if self._memory is None or self._owned is None:
            return 0
        return int(c.wasmtime_memory_data_size(self.store, byref(self._memory)))

    def view(self) -> memoryview:
        """
        Return a view of the exported memory as it is now.
        """
        size = self.memory_bytes()
        if size != self._size and self._memory is not None:
            # The memory never moves (`settings.SETTINGS`), so a view stays valid until the size changes.
            start = c.wasmtime_memory_data(self.store, byref(self._memory))
            self._view = _view_memory(ctypes.addressof(start.contents), size, _WRITABLE)
            self._size = size
        return self._view

    def close(self) -> None:
        """
        See `Instance.close`.
        """
        owned, self._owned = self._owned, None
        if owned is None:
            return
        self._context.memory = empty_memory
        self._view, self._size = empty_memory(), 0
        c.wasmtime_store_delete(owned)

    def __del__(self) -> None:
        # The store is native memory, which no garbage collector frees.
        self.close()

    def _export(self, name: str) -> c.wasmtime_extern_t:
        found = self._found.get(name)
        if found is not None:
            return found
        item = self._found[name] = c.wasmtime_extern_t()
        raw = name.encode()
        c.wasmtime_instance_export_get(self.store, byref(self.handle), raw, len(raw), byref(item))
        return item


class _Layout:
    """
    The layout of arguments and results of one type in an array of slots. Both begin at its start.
    """

    __slots__ = ("_array", "slot_count", "type")

    def __init__(self, function: FuncType) -> None:
        self.type = function
        self.slot_count = max(len(function.params), len(function.results))
        self._array = c.wasmtime_val_raw_t * self.slot_count

    def pack(self, args: Sequence[Value]) -> ctypes.Array[c.wasmtime_val_raw_t] | None:
        """
        Return a new array with the arguments.
        """
        if not self.slot_count:
            return None
        slots = self._array()
        for slot, kind, value in zip(slots, self.type.params, args, strict=False):
            setattr(slot, kind, value)
        return slots

    def unpack(self, slots: ctypes.Array[c.wasmtime_val_raw_t] | None) -> tuple[Value, ...]:
        """
        Return the results from an array.
        """
        if slots is None:
            return ()
        return tuple(getattr(slot, kind) for slot, kind in zip(slots, self.type.results, strict=False))


def _define(linker: wasmtime.Linker, key: tuple[str, str], host: HostFunction, running: Running) -> object:
    """
    Bind one host function in the linker. Return an object that must live as long as the linker.
    """
    module, name = (part.encode() for part in key)
    callback = _make_callback(".".join(key), host, running)
    kind = as_wasmtime(host.type)
    error = c.wasmtime_linker_define_func_unchecked(
        linker.ptr(),
        module,
        len(module),
        name,
        len(name),
        kind.ptr(),
        ctypes.cast(callback, c.wasmtime_func_unchecked_callback_t),
        None,
        _NO_FINALIZER,
    )
    failure = _take_failure(error)
    if failure is not None:
        raise failure
    return callback


def _make_callback(name: str, host: HostFunction, running: Running) -> ctypes._CFunctionType:
    function = host.call
    params, results = host.type.params, host.type.results
    read_args = struct.Struct("<" + "".join(_FORMATS[kind] for kind in params)).unpack_from
    slots_at = (ctypes.c_ubyte * (_SLOT_BYTES * max(len(params), 1))).from_address
    result_at = cast("Callable[[int], _Cell]", _C_TYPES[results[0]].from_address) if results else None

    def call(_env: int | None, _caller: int, slots: int, _count: int) -> int:
        try:
            value = (
                function(running.context, *read_args(slots_at(slots)))
                if params
                else function(running.context)
            )
            if result_at is not None:
                result_at(slots).value = value
        except BaseException as exc:  # noqa: BLE001 - none may pass through the engine's frames
            running.end(name, exc)
            return _new_trap()
        return 0

    return _CALLBACK(call)


def _new_trap() -> int:
    text = b"ended by the host"
    # The engine takes ownership.
    return ctypes.addressof(c.wasmtime_trap_new(text, len(text)).contents)


def _take_failure(
    error: ctypes._Pointer[c.wasmtime_error_t], trap: ctypes._Pointer[c.wasm_trap_t] | None = None
) -> WasmtimeError | Trap | None:
    """
    Return the engine's error or trap as an object that frees it; ``None`` if the call succeeded.
    """
    if _is_set(error):
        return WasmtimeError._from_ptr(error)  # noqa: SLF001 - no public way
    if trap is not None and _is_set(trap):
        return Trap._from_ptr(trap)  # noqa: SLF001 - no public way
    return None


def _is_set(pointer: object) -> bool:
    return bool(pointer)


def _pool_instances(config: wasmtime.Config, count: int) -> None:
    """
    Configure a pool of preallocated memories and tables for so many instances.
    """
    pool = c.wasmtime_pooling_allocation_config_new()
    c.wasmtime_pooling_allocation_config_total_core_instances_set(pool, count)
    c.wasmtime_pooling_allocation_config_total_memories_set(pool, count)
    c.wasmtime_pooling_allocation_config_total_tables_set(pool, count)
    c.wasmtime_pooling_allocation_config_max_tables_per_module_set(pool, _POOLED_TABLES_PER_MODULE)
    c.wasmtime_pooling_allocation_config_table_elements_set(pool, _POOLED_TABLE_ELEMENTS)
    c.wasmtime_pooling_allocation_config_max_core_instance_size_set(pool, _POOLED_INSTANCE_BYTES)
    c.wasmtime_pooling_allocation_config_linear_memory_keep_resident_set(pool, _KEEP_RESIDENT_BYTES)
    # Stacks are for async calls only. Reserving 1,000 of them would count 2 GiB against RLIMIT_DATA.
    c.wasmtime_pooling_allocation_config_total_stacks_set(pool, 0)
    c.wasmtime_pooling_allocation_strategy_set(config.ptr(), pool)
    c.wasmtime_pooling_allocation_config_delete(pool)


def _reservable_instances() -> int:
    """
    Return the number of instances for which this process can reserve address space.

    It is tried here, because Wasmtime aborts the process if its own reservation fails.

    Raises:
        OSError: There is not enough address space for the smallest number.
    """
    for count in _POOL_SIZES:
        with contextlib.suppress(OSError, OverflowError):
            flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_NORESERVE
            mmap.mmap(-1, count * _INSTANCE_ADDRESSES, flags=flags, prot=0).close()
            return count
    raise OSError(
        f"no address space of {_POOL_SIZES[-1] * _INSTANCE_ADDRESSES} bytes for a pool of instances"
    )
