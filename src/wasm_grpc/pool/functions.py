"""A function as the pool serves it, and the memory that workers need for such functions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from wasm_grpc.core.model import MIB, EngineName, PoolPolicy, ReuseKind, Runtime, WorkerFunction
from wasm_grpc.core.settings import Settings
from wasm_grpc.pool.memory import (
    code_bytes,
    dapr_bytes,
    kept_bytes,
    loaded_code_bytes,
    models_bytes,
    pictures_bytes,
    worker_bytes,
)
from wasm_grpc.pool.registry import WorkerKind

__all__ = ["PoolFunction", "kind_bytes", "memory_notes"]

_TEMPLATES_BYTES = 40 * MIB
"""Resident memory of a base and a template that have loaded nothing, as measured with either engine."""
_WORKER_BYTES = 6 * MIB
"""Of a worker, what it does not share with its template once it has run a guest, measured likewise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolFunction:
    """
    A function as the pool serves it.

    Attributes:
        function: What a worker must know of it.
        runtime: Engine and interpreter.
        policy: How many of its invocations run and wait.
        code_bytes: Size of its artifact.
        has_secrets: Whether secrets are put into its environment.
    """

    function: WorkerFunction
    runtime: Runtime
    policy: PoolPolicy
    code_bytes: int = 0
    has_secrets: bool = False

    @property
    def kind(self) -> WorkerKind:
        """
        The workers that may run it.

        A model that a guest brings is input of native code, which may read past its buffers: so it runs in a
        process that has served, and will serve, nobody else.

        Whoever has escaped from an engine reads all that lies in their worker. So a function with something
        to keep (secrets, files or models that it was granted) shares its workers with no other.
        """
        grants = self.function.grants
        if grants.inference.may_load:
            return WorkerKind(self.runtime, self.function.name, is_exclusive=True)
        if self.has_secrets or grants.dapr.secrets or grants.inference.models or grants.mounts:
            return WorkerKind(self.runtime, self.function.name)
        return WorkerKind(self.runtime)

    @property
    def is_loaded_in_advance(self) -> bool:
        """
        Whether every process of its kind has loaded it before it takes invocations.
        """
        return self.policy.min > 0

    @property
    def is_forkable(self) -> bool:
        """
        Whether a template may load it: no thread survives a fork, and some models run on several.
        """
        return all(model.threads == 1 for model in self.function.grants.inference.models)


def kind_bytes(functions: Iterable[PoolFunction], settings: Settings) -> dict[WorkerKind, int]:
    """
    Return the memory that a worker of each kind may take.
    """
    return {kind: _bytes_for(loaded, settings) for kind, loaded in _by_kind(functions).items()}


def memory_notes(
    functions: Iterable[PoolFunction], settings: Settings, machine_bytes: int | None
) -> list[str]:
    """
    Say which workers this machine has no memory for: what they keep loaded, before anything runs.

    Args:
        functions: What they serve.
        settings: How many there are.
        machine_bytes: See `machine_memory_bytes`; None says nothing.
    """
    notes = []
    for kind, served in _by_kind(functions).items():
        shared = [each for each in served if each.is_loaded_in_advance and each.is_forkable]
        # The template loads these too, or each worker alone.
        own = [each for each in served if each not in shared]
        loaded_once = loaded_code_bytes(_code_of(shared)) + _files_bytes(shared)
        # A model writes to what it has loaded when it runs, so no worker shares it for long.
        models = models_bytes(each.function.grants.inference for each in served)
        loaded_each = loaded_code_bytes(_code_of(own)) + _files_bytes(own) + models
        needed = _TEMPLATES_BYTES + loaded_once + loaded_each
        needed += settings.workers * (_WORKER_BYTES + loaded_each)
        if machine_bytes is not None and needed > machine_bytes:
            notes.append(
                f"workers on {kind.runtime.engine.value} need {_mib(needed)} to load what they serve: "
                f"{_mib(loaded_once)} of native code and files once, and {settings.workers} times "
                f"{_mib(loaded_each)} of models and of what is loaded later; this machine has "
                f"{_mib(machine_bytes)}, expected more, fewer --workers or fewer functions"
            )
    return notes


def _by_kind(functions: Iterable[PoolFunction]) -> dict[WorkerKind, list[PoolFunction]]:
    by_kind: dict[WorkerKind, list[PoolFunction]] = {}
    for each in functions:
        by_kind.setdefault(each.kind, []).append(each)
    return by_kind


def _bytes_for(functions: Sequence[PoolFunction], settings: Settings) -> int:
    loaded = [each.function for each in functions]
    return worker_bytes(
        [each.limits for each in loaded],
        settings,
        files_bytes=_files_bytes(functions),
        models_bytes=models_bytes(each.grants.inference for each in loaded),
        code_bytes=code_bytes(_code_of(functions)),
        dapr_bytes=dapr_bytes(each.grants.dapr for each in loaded),
        kept_bytes=kept_bytes(each.limits for each in loaded if each.reuse is ReuseKind.WARM),
        pictures_bytes=pictures_bytes(loaded),
    )


def _files_bytes(functions: Iterable[PoolFunction]) -> int:
    return sum(mount.size_bytes for each in functions for mount in each.function.grants.mounts)


def _code_of(functions: Iterable[PoolFunction]) -> list[tuple[EngineName, str, int]]:
    return [(each.runtime.engine, each.function.digest, each.code_bytes) for each in functions]


def _mib(size_bytes: int) -> str:
    return f"{-(-size_bytes // MIB)} MiB"
