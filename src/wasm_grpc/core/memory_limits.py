"""Limit a guest's linear memory, in its native code or at each instance, and say what a worker's limit is."""

from __future__ import annotations

import resource

from wasm_grpc.core.errors import ModuleError
from wasm_grpc.core.model import KIB, MIB, PAGE_BYTES

__all__ = ["MAX_MEMORY_BYTES", "check_minimum", "limit_in_code", "over_worker_memory"]

MAX_MEMORY_BYTES = 65_535 * PAGE_BYTES
"""One page less than 4 GiB, because Wasmer shows a memory of 65,536 pages as an empty buffer."""

_STEPS = 8
"""Number of limits in native code from one power of two to the next."""


def limit_in_code(memory_bytes: int, *, is_set_by_instance: bool) -> int:
    """
    Return the memory limit that a module is compiled with, in bytes.

    Every other value of it needs another compilation. So it is the maximum if the engine limits each
    instance. Otherwise it is the function's limit, rounded up by at most an eighth: somebody who tries
    several values of `limits.memory` then needs few compilations.

    Args:
        memory_bytes: The function's limit.
        is_set_by_instance: Whether the engine limits each instance.
    """
    if is_set_by_instance:
        return MAX_MEMORY_BYTES
    step = max(1 << max(memory_bytes.bit_length() - 1, 0), _STEPS * PAGE_BYTES) // _STEPS
    return min(-(-memory_bytes // step) * step, MAX_MEMORY_BYTES)


def check_minimum(minimum_bytes: int, memory_bytes: int) -> None:
    """
    Check that a module starts with no more memory than its function may have.

    Raises:
        ModuleError: It starts with more.
    """
    if minimum_bytes > memory_bytes:
        initial, limit = _size(minimum_bytes), _size(memory_bytes)
        raise ModuleError(f"module starts with {initial} of memory; expected at most {limit} (limits.memory)")


def over_worker_memory(problem: str, limit_bytes: int | None = None) -> str:
    """
    Return a sentence about a worker that takes too much memory, with its limit.

    Args:
        problem: What is wrong.
        limit_bytes: The limit; ``None`` if this process is the worker.
    """
    if limit_bytes is None:
        limit_bytes = resource.getrlimit(resource.RLIMIT_DATA)[0]
    if limit_bytes == resource.RLIM_INFINITY:
        return problem
    return f"{problem}; expected at most {limit_bytes // MIB} MiB, which WASM_GRPC_WORKER_BYTES raises"


def _size(size_bytes: int) -> str:
    return f"{size_bytes // MIB} MiB" if size_bytes % MIB == 0 else f"{size_bytes // KIB} KiB"
