"""An app whose functions are called by jobs: our server and its sidecar, a broker for results, and a scheduler."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from dapr.proto.runtime.v1 import dapr_pb2_grpc, jobs_pb2

from integration.guests import write_function
from rig import Broker, Daprd, Server, broker, free_port, scheduler, serve

__all__ = ["OUT", "JobRig", "open_rig", "write_job_function"]

OUT = 'then = { publish = { pubsub = "pubsub", topic = "out" } }'
"""Where functions of these tests send their results."""

_LOG_TIMEOUT_S = 15.0
_LOOK_AGAIN_S = 0.05


def write_job_function(folder: Path, name: str, *jobs: str, guest: str = "act", sections: str = "") -> Path:
    """Write a function, each job as the lines of its table."""
    trigger = "\n".join(f"[[trigger.job]]\n{job}\n" for job in jobs)
    return write_function(folder, name, guest=guest, sections=sections, trigger=trigger)


@dataclass(frozen=True, kw_only=True)
class JobRig:
    """What stays while a server and its sidecar come and go."""

    folder: Path
    broker: Broker
    scheduler_port: int | None
    env: Mapping[str, str]

    def sidecar(self) -> Daprd:
        """Return a sidecar of the app, not started yet."""
        return Daprd(
            app_id="jobs",
            folder=self.folder,
            app_port=free_port(),
            app_token="the app's token",  # noqa: S106 - of a test
            api_token="the sidecar's token",  # noqa: S106 - of a test
            resources=self.broker.resources,
            scheduler_port=self.scheduler_port,
        )

    @asynccontextmanager
    async def run(self, functions: Path, *flags: str) -> AsyncIterator[tuple[Server, Daprd]]:
        """Run a server and its sidecar."""
        sidecar = self.sidecar()
        env = {**self.env, **sidecar.app_environment}
        async with sidecar, serve(functions, *flags, port=sidecar.app_port or 0, env=env) as server:
            await sidecar.app_ready()
            yield server, sidecar


@asynccontextmanager
async def open_rig(folder: Path, env: Mapping[str, str]) -> AsyncIterator[JobRig]:
    """Run a broker and a scheduler; `env` is for `wasm-grpc serve`."""
    async with broker(folder, has_policy=False) as running, scheduler(folder) as port:
        yield JobRig(folder=folder, broker=running, scheduler_port=port, env=env)


async def said(server: Server, what: str, count: int = 1) -> None:
    """Wait until the server has logged so many lines that match."""
    lines = server.process.stderr

    async def wait() -> None:
        while sum(bool(re.search(what, line)) for line in lines.lines) < count:
            await asyncio.sleep(_LOOK_AGAIN_S)

    await asyncio.wait_for(wait(), _LOG_TIMEOUT_S)


async def schedule(sidecar: Daprd, name: str, job: Mapping[str, Any]) -> None:
    """Schedule a job over HTTP."""
    body = json.dumps(job).encode()
    reply = await sidecar.request(
        "POST", f"/v1.0-alpha1/jobs/{name}", body, headers={"content-type": "application/json"}
    )
    assert reply.status == 204, reply


@asynccontextmanager
async def dapr_stub(sidecar: Daprd) -> AsyncIterator[tuple[Any, tuple[tuple[str, str], ...]]]:
    """Open a client of the sidecar's gRPC API; yield it with the token's metadata."""
    async with grpc.aio.insecure_channel(sidecar.grpc_address) as channel:
        yield dapr_pb2_grpc.DaprStub(channel), (("dapr-api-token", sidecar.api_token),)


async def jobs_of(sidecar: Daprd) -> dict[str, jobs_pb2.Job]:
    """Return the app's jobs, by name."""
    async with dapr_stub(sidecar) as (stub, metadata):
        answer = await stub.ListJobs(jobs_pb2.ListJobsRequest(), metadata=metadata, timeout=10)
    return {job.name: job for job in answer.jobs}


async def no_job(sidecar: Daprd, name: str) -> None:
    """Wait until the scheduler no longer has a job."""

    async def wait() -> None:
        while name in await jobs_of(sidecar):
            await asyncio.sleep(_LOOK_AGAIN_S)

    await asyncio.wait_for(wait(), _LOG_TIMEOUT_S)


__all__ += ["dapr_stub", "jobs_of", "no_job", "said", "schedule"]
