"""The jobs of the manifests, scheduled with Dapr once the server listens."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Sequence

from wasm_grpc.app.connection import Connection
from wasm_grpc.catalogue.function import Function
from wasm_grpc.catalogue.jobs import scheduled_jobs
from wasm_grpc.core.errors import SidecarError
from wasm_grpc.core.settings import Settings
from wasm_grpc.dapr.jobs import delete_left_jobs, schedule_jobs
from wasm_grpc.dapr.sidecar import Sidecar

__all__ = ["open_schedule"]

_log = logging.getLogger("wasm_grpc.app")


@contextlib.asynccontextmanager
async def open_schedule(
    functions: Sequence[Function], connection: Connection, settings: Settings
) -> AsyncIterator[None]:
    """
    Schedule the jobs of the manifests, and delete those that the manifests no longer have.

    If there are none to schedule, nothing waits for the sidecar: the deletions are made in the background.

    Raises:
        SidecarError: The sidecar or Dapr's scheduler can't be reached in time, or refuses a job.
    """
    jobs = tuple(scheduled_jobs(functions))
    # A server of some functions leaves the jobs of the others alone.
    served = {function.name for function in functions} if settings.only else None
    sidecar = connection.sidecar
    if sidecar is None:
        if jobs:
            names = ", ".join(job.trigger.name for job in jobs)
            _log.warning("no sidecar is configured (DAPR_GRPC_PORT): not scheduled: %s", names)
        yield
        return
    if jobs:
        await connection.wait()
        await schedule_jobs(sidecar, jobs, served=served, wait_s=settings.sidecar_wait_s)
        yield
        return

    async def tidy(sidecar: Sidecar) -> None:
        with contextlib.suppress(SidecarError):
            await connection.wait()
            await delete_left_jobs(sidecar, served=served, wait_s=settings.sidecar_wait_s)

    tidying = asyncio.create_task(tidy(sidecar), name="delete jobs that left the manifests")
    try:
        yield
    finally:
        tidying.cancel()
        await asyncio.gather(tidying, return_exceptions=True)
