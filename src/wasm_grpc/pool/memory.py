"""How much memory a worker needs for its functions, and how much it has taken."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from wasm_grpc.core.memory_limits import limit_in_code
from wasm_grpc.core.model import (
    DAPR_MESSAGE_BYTES,
    KIB,
    MIB,
    DaprGrants,
    EngineName,
    Inference,
    Limits,
    WorkerFunction,
)
from wasm_grpc.core.pictures import PICTURES_IMPORT, decoding_bytes
from wasm_grpc.core.settings import Settings

__all__ = [
    "code_bytes",
    "dapr_bytes",
    "guest_bytes",
    "held_bytes",
    "kept_bytes",
    "loaded_code_bytes",
    "models_bytes",
    "pictures_bytes",
    "worker_bytes",
]

_LOADED = {EngineName.WASMER: 3, EngineName.WASMTIME: 1, EngineName.FAKE: 1}
"""
Writable memory that native code takes once loaded, for each byte of its artifact.

Measured with 17.1 MiB on Wasmer: 26.4 MiB to load, 20.4 MiB at the first instance. Wasmtime's lies in
mappings that are executable and not writable.
"""
_LOADING = 3
"""While one artifact is loaded, for each of its bytes: the file, its payload, the engine's copy."""
_DAPR_COPIES = 8
"""Of a message to or from Dapr: content, base64, JSON and frame, of the request and of the response."""
_HELD = re.compile(rb"^(?:VmRSS|VmSwap|VmPTE):\s+(\d+) kB$", re.MULTILINE)
"""Lines of ``/proc/<pid>/status``, see proc(5)."""
_SUPPLIED_BYTES = 256 * MIB
"""For models that guests bring: a worker keeps up to 64 MiB of them, and each takes more when it runs."""


def dapr_bytes(dapr: Iterable[DaprGrants]) -> int:
    """
    Return what one worker may take for its guest's calls to Dapr: one at a time.
    """
    return _DAPR_COPIES * DAPR_MESSAGE_BYTES if any(grants.is_granted for grants in dapr) else 0


def code_bytes(code: Iterable[tuple[EngineName, str, int]]) -> int:
    """
    Return what one worker may take for native code, which it loads once for all functions of a digest.

    Args:
        code: Of each function: its engine, and the digest and the size of its artifact.
    """
    code = tuple(code)
    return loaded_code_bytes(code) + _LOADING * max((size for _, _, size in code), default=0)


def loaded_code_bytes(code: Iterable[tuple[EngineName, str, int]]) -> int:
    """
    Return what one worker keeps of native code; see `code_bytes`.
    """
    sizes = {digest: (engine, size) for engine, digest, size in code}
    return sum(_LOADED[engine] * size for engine, size in sizes.values())


def models_bytes(inferences: Iterable[Inference]) -> int:
    """
    Return what one worker may take for models: each once, whoever names it, and those that guests bring.
    """
    named: dict[tuple[str, int], int] = {}
    supplied = 0
    for inference in inferences:
        named.update({(model.sha256, model.threads): model.memory_bytes for model in inference.models})
        if inference.may_load:
            supplied = _SUPPLIED_BYTES
    return sum(named.values()) + supplied


def pictures_bytes(functions: Iterable[WorkerFunction]) -> int:
    """
    Return what one worker may take to decode pictures: one at a time, for the functions that import that.
    """
    decoding = [each.limits for each in functions if PICTURES_IMPORT in each.imports]
    return max(map(decoding_bytes, decoding), default=0)


def guest_bytes(limits: Limits) -> int:
    """
    Return what the guests of a function may take of a worker: the running one, and the one prepared next.

    Linear memory counts for both, up to the limit in native code, which may exceed the function's
    (see `limit_in_code`). The running guest's scratch folder counts twice, because growing a file copies it.
    """
    return 2 * (limit_in_code(limits.memory_bytes, is_set_by_instance=False) + limits.scratch_bytes)


def kept_bytes(limits: Iterable[Limits]) -> int:
    """
    Return what the warm instances of functions may keep of a worker while others run: their linear memory.

    Args:
        limits: Of the functions whose instances are warm.
    """
    return sum(limit_in_code(limit.memory_bytes, is_set_by_instance=False) for limit in limits)


def worker_bytes(
    limits: Iterable[Limits],
    settings: Settings,
    *,
    files_bytes: int = 0,
    models_bytes: int = 0,
    code_bytes: int = 0,
    dapr_bytes: int = 0,
    kept_bytes: int = 0,
    pictures_bytes: int = 0,
) -> int:
    """
    Return what one worker may take: its own memory, the largest guests, and a request and its result.

    Args:
        limits: Of its functions.
        settings: Set the worker's own memory.
        files_bytes: Total size of the files that its functions were granted.
        models_bytes: See `models_bytes`.
        code_bytes: See `code_bytes`.
        dapr_bytes: See `dapr_bytes`.
        kept_bytes: See `kept_bytes`.
        pictures_bytes: See `pictures_bytes`.
    """
    guests = traffic = 0
    for limit in limits:
        guests = max(guests, guest_bytes(limit))
        traffic = max(traffic, 2 * limit.body_bytes + 3 * limit.result_bytes)
    own = settings.worker_bytes + files_bytes + models_bytes + code_bytes
    return own + guests + kept_bytes + traffic + dapr_bytes + pictures_bytes


def held_bytes(pid: int) -> int:
    """
    Return the memory that a process holds; 0 where it can't be read (it is gone, or this is not Linux).

    That is what is resident, what is swapped out, and the page tables, which grow unseen if a process touches
    one page here and there of a vast mapping. Shared memory counts as far as it is mapped; a worker can make
    none (`worker/syscalls.py`).
    """
    try:
        # The kernel answers from memory: nothing to wait for, also on an event loop.
        handle = os.open(f"/proc/{pid}/status", os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            text = os.read(handle, 16 * KIB)
        finally:
            os.close(handle)
    except OSError:
        return 0
    return KIB * sum(map(int, _HELD.findall(text)))
