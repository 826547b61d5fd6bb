"""What a server must find behind its sidecar when it starts, or else refuses to serve a function."""

from __future__ import annotations

from collections.abc import Iterator

from wasm_grpc.catalogue.function import Function
from wasm_grpc.catalogue.jobs import scheduled_jobs

__all__ = ["sidecar_needs"]


def sidecar_needs(function: Function) -> Iterator[str]:
    """
    Yield a line for each secret that is read at the start, and each job that is scheduled then.
    """
    for variable, secret in function.secrets.items():
        entry = "" if secret.key is None else f"entry {secret.key!r} of "
        yield function.format_problem(
            f"env.{variable}: `serve` reads it from {entry}secret {secret.secret!r} of its sidecar"
        )
    for job in scheduled_jobs([function]):
        yield job.format_problem(
            f"`serve` schedules {job.trigger.name!r} with its sidecar, which needs Dapr's scheduler"
        )
