"""How a limit on linear memory reaches the guest: in its native code, or with each instance."""

from __future__ import annotations

from wasm_grpc.core.errors import ModuleError
from wasm_grpc.core.model import KIB, MIB, PAGE_BYTES

__all__ = ["MAX_MEMORY_BYTES", "check_minimum", "limit_in_code"]

MAX_MEMORY_BYTES = 65_535 * PAGE_BYTES
"""One page short of 4 GiB: a memory of 65,536 pages shows as an empty buffer on Wasmer."""

_STEPS = 8
"""Sizes of native code's limits between one power of two and the next."""


def limit_in_code(memory_bytes: int, *, is_set_by_instance: bool) -> int:
    """
    Return the limit that native code is compiled with, in bytes: a change of it compiles the module anew.

    Where the engine can't limit an instance, it is the function's own, rounded up by at most an eighth, so
    that a limit that is tried out meets few sizes.

    Args:
        memory_bytes: The function's limit.
        is_set_by_instance: The engine limits each instance; then the code has none.
    """
    if is_set_by_instance:
        return MAX_MEMORY_BYTES
    step = max(1 << max(memory_bytes.bit_length() - 1, 0), _STEPS * PAGE_BYTES) // _STEPS
    return min(-(-memory_bytes // step) * step, MAX_MEMORY_BYTES)


def check_minimum(minimum_bytes: int, memory_bytes: int) -> None:
    """
    Check that a module starts with no more memory than its function may have.

    Raises:
        ModuleError: It wants more.
    """
    if minimum_bytes > memory_bytes:
        wanted, allowed = _size(minimum_bytes), _size(memory_bytes)
        raise ModuleError(f"module wants at least {wanted} of memory; limits.memory is {allowed}")


def _size(size_bytes: int) -> str:
    return f"{size_bytes // MIB} MiB" if size_bytes % MIB == 0 else f"{size_bytes // KIB} KiB"
