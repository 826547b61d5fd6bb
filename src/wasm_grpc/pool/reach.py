"""What the walls around a process leave it of this machine: the files that it opens, and threads."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from wasm_grpc.core.model import WorkerFunction
from wasm_grpc.core.pictures import PICTURES_IMPORT
from wasm_grpc.core.wire import Fork, ForkJob

__all__ = ["NOTHING", "Reach", "reach_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """
    What a process needs for its functions.

    Attributes:
        infers: It may run models.
        decodes: It may decode pictures.
        has_threads: Some of them run on several threads.
        files: See `Fork.files`.
    """

    infers: bool = False
    decodes: bool = False
    has_threads: bool = False
    files: bytes = b""

    def fork(self, job: ForkJob, *, memory_bytes: int, cpu_s: int = 0) -> Fork:
        """
        Return the message that has a process forked.
        """
        return Fork(
            job=job,
            memory_bytes=memory_bytes,
            cpu_s=cpu_s,
            infers=self.infers,
            decodes=self.decodes,
            has_threads=self.has_threads,
            files=self.files,
        )


NOTHING = Reach()
"""That of a process whose one task names what it needs."""


def reach_of(served: Iterable[WorkerFunction], *, to_load: Iterable[WorkerFunction]) -> Reach:
    """
    Return what a process needs.

    Args:
        served: The functions that it may run.
        to_load: Those of them that it may still load, so that it opens their files.
    """
    served = tuple(served)
    inferences = [each.grants.inference for each in served]
    models = [model for inference in inferences for model in inference.models]
    return Reach(
        infers=any(inference.is_granted for inference in inferences),
        decodes=any(PICTURES_IMPORT in each.imports for each in served),
        has_threads=any(model.threads > 1 for model in models),
        files=b"".join(os.fsencode(path) + b"\0" for each in to_load for path in _files_of(each)),
    )


def _files_of(function: WorkerFunction) -> Iterator[str]:
    yield function.artifact
    for mount in function.grants.mounts:
        yield from (entry.host for entry in mount.entries if entry.host)
    yield from (model.host for model in function.grants.inference.models)
