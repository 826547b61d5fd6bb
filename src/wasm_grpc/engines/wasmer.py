"""Wasmer 1.1.0 with Cranelift, which has wheels for CPython 3.10 and older only."""

from __future__ import annotations

import re
from collections.abc import Sequence

import wasmer
from wasmer_compiler_cranelift import Compiler

from wasm_grpc.core.errors import ModuleError, UnsupportedModuleError
from wasm_grpc.core.model import EngineName
from wasm_grpc.core.text import escaped
from wasm_grpc.engines import traps
from wasm_grpc.engines.binary.rewrite import START_EXPORT, defer_start
from wasm_grpc.engines.features import describe_feature
from wasm_grpc.engines.protocol import UNLIMITED_INSTANCES, Context, FuncType, GuestTrap, HostModules, Value
from wasm_grpc.engines.running import Running, bind_host, empty_memory
from wasm_grpc.engines.target import describe_target
from wasm_grpc.engines.values import has_numbers_only, narrow_arguments

__all__ = ["WasmerEngine", "WasmerInstance", "WasmerPrepared"]

_SETTINGS = {"compiler": "cranelift", "engine": "universal"}

_TYPES = {
    "i32": wasmer.Type.I32,
    "i64": wasmer.Type.I64,
    "f32": wasmer.Type.F32,
    "f64": wasmer.Type.F64,
    "v128": wasmer.Type.V128,
    "externref": wasmer.Type.EXTERN_REF,
    "funcref": wasmer.Type.FUNC_REF,
}

_KINDS = {
    "unreachable": traps.UNREACHABLE,
    "out of bounds memory access": traps.OUT_OF_BOUNDS_MEMORY_ACCESS,
    "memory out of bounds: data segment does not fit": traps.OUT_OF_BOUNDS_MEMORY_ACCESS,
    "out of bounds table setter": traps.OUT_OF_BOUNDS_TABLE_ACCESS,
    "undefined element: out of bounds table access": traps.OUT_OF_BOUNDS_TABLE_ACCESS,
    "uninitialized element": traps.UNINITIALIZED_ELEMENT,
    "indirect call type mismatch": traps.INDIRECT_CALL_TYPE_MISMATCH,
    "integer overflow": traps.INTEGER_OVERFLOW,
    "integer divide by zero": traps.INTEGER_DIVIDE_BY_ZERO,
    "invalid conversion to integer": traps.INVALID_CONVERSION_TO_INTEGER,
}
"""Wasmer's traps (its ``TrapCode``) after which the process can continue."""

_FEATURE = re.compile(
    r"not enabled|must be enabled|Unsupported feature|multiple memories|constant expression required"
    r"|Unknown (opcode|0xf\w sub-?opcode)|leading byte in type|Invalid type|limits flags"
)
"""Messages of its old parser about a feature that is unknown or turned off."""

_FRAME = re.compile(r"\s+at (.*) \(.*\[\d+\]:0x[0-9a-f]+\)$")
_MAX_LINES = 6
_PANIC = "PanicException"
"""Name of the class of Wasmer's panics, which has no public name and is not derived from `Exception`."""


class WasmerEngine:
    """
    An `Engine` over Wasmer.
    """

    name = EngineName.WASMER.value
    limits_instances = False
    instances = UNLIMITED_INSTANCES

    def __init__(self) -> None:
        self.version = str(wasmer.__version__)
        self.target = describe_target(_SETTINGS)
        self._store = wasmer.Store(wasmer.engine.Universal(Compiler))

    def compile(self, wasm: bytes) -> bytes:
        """
        See `Engine.compile`.
        """
        try:
            return bytes(wasmer.Module(self._store, defer_start(wasm)).serialize())
        except RuntimeError as exc:
            raise _as_module_error(str(exc)) from exc
        except BaseException as exc:
            if type(exc).__name__ != _PANIC:
                raise
            raise UnsupportedModuleError(
                f"module makes Wasmer's compiler fail: {escaped(str(exc))}; expected one that it can compile"
            ) from exc

    def load(self, artifact: bytes, hosts: HostModules) -> WasmerPrepared:
        """
        See `Engine.load`.
        """
        try:
            return WasmerPrepared(self._store, wasmer.Module.deserialize(self._store, artifact), hosts)
        except RuntimeError as exc:
            raise ModuleError(f"artifact: can't be loaded: {exc}; expected code for this Wasmer") from exc


class WasmerPrepared:
    """
    A `Prepared` over Wasmer.

    The imports are made once for all instances: an import that refers to its instance would make a
    cycle that Python's garbage collector can't see.
    """

    def __init__(self, store: wasmer.Store, module: wasmer.Module, hosts: HostModules) -> None:
        self.running = Running()
        types = {
            item.name: _as_func_type(item.type)
            for item in module.exports
            if isinstance(item.type, wasmer.FunctionType)
        }
        # Calling an export with an externref makes Wasmer panic.
        self.types = {name: kind for name, kind in types.items() if has_numbers_only(kind)}
        self.has_memory = any(
            item.name == "memory" and isinstance(item.type, wasmer.MemoryType) for item in module.exports
        )
        self._module = module
        self._imports = wasmer.ImportObject()
        names: dict[str, dict[str, wasmer.Function]] = {}
        for item in module.imports:
            host = hosts[item.module, item.name]
            call = bind_host(self.running, f"{item.module}.{item.name}", host)
            names.setdefault(item.module, {})[item.name] = wasmer.Function(store, call, _as_wasmer(host.type))
        for name, functions in names.items():
            self._imports.register(name, functions)

    def function_type(self, name: str) -> FuncType | None:
        """
        See `Prepared.function_type`.
        """
        return self.types.get(name)

    def instantiate(self, context: Context, *, memory_bytes: int) -> WasmerInstance:  # noqa: ARG002 - protocol
        """
        See `Prepared.instantiate`.
        """
        try:
            instance = wasmer.Instance(self._module, self._imports)
        except BaseException as exc:  # Wasmer's panics are not derived from `Exception`.
            raise _as_guest_trap(exc) from exc
        return WasmerInstance(self, context, instance)


class WasmerInstance:
    """
    An `Instance` over Wasmer.
    """

    __slots__ = ("_context", "_exports", "_memory", "_prepared")

    def __init__(self, prepared: WasmerPrepared, context: Context, instance: wasmer.Instance) -> None:
        self._prepared = prepared
        self._context = context
        self._exports = instance.exports
        memory: wasmer.Memory | None = instance.exports.memory if prepared.has_memory else None
        self._memory = memory
        # Not a bound method: context and instance would refer to each other.
        context.memory = empty_memory if memory is None else lambda: memoryview(memory.buffer)

    def start(self) -> None:
        """
        See `Instance.start`.
        """
        if START_EXPORT in self._prepared.types:
            self.call(START_EXPORT)

    def call(self, export: str, *args: Value) -> Sequence[Value]:
        """
        See `Instance.call`.
        """
        function_type = self._prepared.types.get(export)
        if function_type is None or self._exports is None:
            raise traps.missing_function(export)
        values = narrow_arguments(function_type, args)
        function = getattr(self._exports, export)
        running = self._prepared.running
        outer, running.context = running.context, self._context
        try:
            results = function(*values)
        except BaseException as exc:  # noqa: BLE001 - Wasmer's panics are no `Exception`
            raise running.take_exception() or _as_guest_trap(exc)  # noqa: B904 - a fault keeps its own cause
        finally:
            running.context = outer
        if results is None:
            return ()
        return tuple(results) if isinstance(results, (list, tuple)) else (results,)

    def memory_bytes(self) -> int:
        """
        See `Instance.memory_bytes`.
        """
        return 0 if self._memory is None else int(self._memory.data_size)

    def close(self) -> None:
        """
        See `Instance.close`.
        """
        self._context.memory = empty_memory
        self._exports = self._memory = None


def _as_guest_trap(failure: BaseException) -> GuestTrap:
    # Traps are RuntimeErrors. Anything else is a panic of Wasmer, and its state is unknown.
    if not isinstance(failure, RuntimeError):
        return GuestTrap(f"engine failed with {type(failure).__name__}", is_process_tainted=True)
    first, *rest = str(failure).split("\n", _MAX_LINES)
    cause = first.removeprefix("RuntimeError: ")
    # A trap that is not in the table, such as a stack overflow, taints the process (see `GuestTrap`).
    kind = _KINDS.get(cause)
    names = (match[1] for match in map(_FRAME.match, rest) if match and match[1] != "<unnamed>")
    return GuestTrap(traps.describe_trap(kind or cause, names), is_process_tainted=kind is None)


def _as_module_error(text: str) -> ModuleError:
    first = text.split("\n", 1)[0]
    if _FEATURE.search(first):
        return UnsupportedModuleError(
            f"module uses a feature that Wasmer does not have: {describe_feature(first)}"
        )
    return ModuleError(f"module is not valid: {first}")


def _as_func_type(function: wasmer.FunctionType) -> FuncType:
    names = {value: name for name, value in _TYPES.items()}
    return FuncType(
        tuple(names[param] for param in function.params),
        tuple(names[result] for result in function.results),
    )


def _as_wasmer(function: FuncType) -> wasmer.FunctionType:
    return wasmer.FunctionType(
        [_TYPES[param] for param in function.params],
        [_TYPES[result] for result in function.results],
    )
