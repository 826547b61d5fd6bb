"""Convert Wasmtime's errors and traps to ours."""

from __future__ import annotations

import re

from wasmtime import Trap, TrapCode, WasmtimeError

from wasm_grpc.core.errors import ModuleError, UnsupportedModuleError
from wasm_grpc.engines import traps
from wasm_grpc.engines.features import describe_feature
from wasm_grpc.engines.protocol import GuestTrap

__all__ = ["as_artifact_error", "as_guest_trap", "as_module_error"]

_KINDS = {
    TrapCode.UNREACHABLE: traps.UNREACHABLE,
    TrapCode.MEMORY_OUT_OF_BOUNDS: traps.OUT_OF_BOUNDS_MEMORY_ACCESS,
    TrapCode.TABLE_OUT_OF_BOUNDS: traps.OUT_OF_BOUNDS_TABLE_ACCESS,
    TrapCode.INDIRECT_CALL_TO_NULL: traps.UNINITIALIZED_ELEMENT,
    TrapCode.BAD_SIGNATURE: traps.INDIRECT_CALL_TYPE_MISMATCH,
    TrapCode.INTEGER_OVERFLOW: traps.INTEGER_OVERFLOW,
    TrapCode.INTEGER_DIVISION_BY_ZERO: traps.INTEGER_DIVIDE_BY_ZERO,
    TrapCode.BAD_CONVERSION_TO_INTEGER: traps.INVALID_CONVERSION_TO_INTEGER,
    TrapCode.STACK_OVERFLOW: traps.CALL_STACK_EXHAUSTED,
}

_FEATURE = re.compile(
    r"not enabled|must be enabled|not supported|unsupported|feature|stack switching|multiple memories",
    re.IGNORECASE,
)
"""Messages of wasmparser and Wasmtime about a feature that is turned off."""


def as_guest_trap(error: Exception) -> GuestTrap:
    """
    Return Wasmtime's trap as ours.
    """
    if not isinstance(error, Trap):
        return GuestTrap(_first_line(error))
    code = error.trap_code
    kind = _KINDS.get(code) if code is not None else None
    return GuestTrap(
        traps.describe_trap(kind or _first_line(error), (frame.func_name for frame in error.frames))
    )


def as_module_error(error: WasmtimeError) -> ModuleError:
    """
    Return the error for a module that Wasmtime rejects.
    """
    text = _one_line(error)
    if _FEATURE.search(text):
        return UnsupportedModuleError(
            f"module uses a feature that Wasmtime does not offer here: {describe_feature(text)}"
        )
    return ModuleError(f"module is not valid: {text}")


def as_artifact_error(error: WasmtimeError) -> ModuleError:
    """
    Return the error for an artifact that Wasmtime does not load.
    """
    return ModuleError(f"artifact: can't be loaded: {_one_line(error)}; expected code for this Wasmtime")


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else "unknown trap"


def _one_line(error: WasmtimeError) -> str:
    lines = str(error).strip().splitlines()
    # Wasmtime numbers the chain of causes: "0: ...". A cause may repeat the line before it.
    causes = [re.sub(r"^\s*\d+:\s*", "", line) for line in lines if line.strip() not in ("", "Caused by:")]
    return ": ".join(dict.fromkeys(cause.strip() for cause in causes))
