"""Jobs: the call ``OnJobEvent``, by which Dapr's scheduler says that one is due."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Hashable
from dataclasses import dataclass

from dapr.proto.runtime.v1 import appcallback_pb2 as pb

from wasm_grpc.dapr.job_data import unwrapped
from wasm_grpc.invocation.delivery import Deliveries
from wasm_grpc.invocation.deployment import Deployment
from wasm_grpc.invocation.outcomes import Verdict
from wasm_grpc.invocation.runner import Runner
from wasm_grpc.invocation.triggers.invoke import Invoker, Request
from wasm_grpc.server.calls import Calls
from wasm_grpc.server.failures import Context

__all__ = ["JobCalls"]

_log = logging.getLogger("wasm_grpc.job")


@dataclass(frozen=True, slots=True)
class _Job:
    """
    A job that is due, on its way to its function.
    """

    name: str
    function: str
    body: bytes

    @property
    def identity(self) -> Hashable:
        return (self.function, self.name, hashlib.sha256(self.body).digest())

    def __str__(self) -> str:
        return f"job {self.name!r}"


class JobCalls:
    """
    Serve jobs.
    """

    def __init__(self, deployment: Deployment, runner: Runner, calls: Calls) -> None:
        self._deployment = deployment
        self._invoker = Invoker(deployment, runner)
        self._deliveries = Deliveries(_log)
        self._calls = calls

    async def OnJobEvent(self, request: pb.JobEventRequest, context: Context) -> pb.JobEventResponse:
        """
        Run the function of a job. After an error Dapr follows the job's failure policy.
        """
        async with self._calls.event(context, "OnJobEvent") as call:
            found = self._deployment.find_named("job", request.name)
            if found is None:
                # It may be known to a newer server of this app, so it is not discarded.
                await call.refuse(f"job {request.name!r}: no function receives it")
            route, function = found
            payload = unwrapped(request.data)
            job = _Job(request.name, function.name, payload.body)
            event = Request(
                method="",
                verb="",
                query="",
                content_type=payload.content_type,
                body=payload.body,
                metadata=call.metadata,
                name=request.name,
                variables=(("JOB_NAME", request.name),),
            )
            invocation_id = self._invoker.next_id()
            verdict = await self._deliveries.settle(
                self._invoker.run(event, route, function, invocation_id),
                message=job,
                policy=function.outcome,
                invocation_id=invocation_id,
            )
            if verdict is Verdict.RETRY:
                await call.retry(f"{job} failed (invocation {invocation_id})")
            if verdict is Verdict.DROP:
                await call.discard(f"{job} failed and is dropped (invocation {invocation_id})")
        return pb.JobEventResponse()

    async def OnJobEventAlpha1(self, request: pb.JobEventRequest, context: Context) -> pb.JobEventResponse:
        """
        Handle `OnJobEvent` under its name before daprd 1.18.
        """
        return await self.OnJobEvent(request, context)
