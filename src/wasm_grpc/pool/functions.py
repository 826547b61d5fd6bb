"""A function as the pool serves it, and the memory that workers need for such functions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from wasm_grpc.core.model import PoolPolicy, Runtime, WorkerFunction
from wasm_grpc.core.settings import Settings
from wasm_grpc.pool.memory import code_bytes, models_bytes, worker_bytes
from wasm_grpc.pool.roster import WorkerKind

__all__ = ["PoolFunction", "kind_bytes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolFunction:
    """
    A function as the pool serves it.

    Attributes:
        function: What a worker must know of it.
        runtime: Engine and interpreter.
        policy: How many of its invocations run and wait.
        code_bytes: Size of its artifact.
    """

    function: WorkerFunction
    runtime: Runtime
    policy: PoolPolicy
    code_bytes: int = 0

    @property
    def kind(self) -> WorkerKind:
        """
        The workers that may run it.

        A model that a guest brings is input of native code, which may read past its buffers: so it runs in a
        process that has served, and will serve, nobody else.
        """
        return WorkerKind(self.runtime, self.function.name if self.function.inference.may_load else "")


def kind_bytes(functions: Iterable[PoolFunction], settings: Settings) -> dict[WorkerKind, int]:
    """
    Return the memory that a worker of each kind may take.
    """
    by_kind: dict[WorkerKind, list[PoolFunction]] = {}
    for each in functions:
        by_kind.setdefault(each.kind, []).append(each)
    return {kind: _bytes_for(loaded, settings) for kind, loaded in by_kind.items()}


def _bytes_for(functions: Sequence[PoolFunction], settings: Settings) -> int:
    loaded = [each.function for each in functions]
    return worker_bytes(
        [each.limits for each in loaded],
        settings,
        files_bytes=sum(mount.size_bytes for each in loaded for mount in each.mounts),
        models_bytes=models_bytes(each.inference for each in loaded),
        code_bytes=code_bytes(
            (each.runtime.engine, each.function.digest, each.code_bytes) for each in functions
        ),
    )
