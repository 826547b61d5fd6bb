"""
Schedule jobs with Dapr as the manifests have them, and delete those that left the manifests.

Theory of operation. Dapr keeps a job until it is deleted, and overwriting a job starts its periods anew. So
the server first lists the app's jobs, and writes only those that differ. A job says who made it by the URL of
its data's type: what stands before the type's name is free (google/protobuf/any.proto), and Dapr keeps it.
``wasm-grpc/<function>/google.protobuf.StringValue`` is a job of ours; no other job is ever deleted.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import grpc
from dapr.proto.common.v1 import common_pb2
from dapr.proto.runtime.v1 import jobs_pb2 as pb
from google.protobuf import any_pb2, duration_pb2, empty_pb2, wrappers_pb2
from google.protobuf.message import Message

from wasm_grpc.catalogue.jobs import ScheduledJob
from wasm_grpc.core.errors import SidecarError
from wasm_grpc.dapr.sidecar import Sidecar, describe
from wasm_grpc.manifest.jobs import JobFailure

__all__ = ["Plan", "delete_left_jobs", "job_message", "make_plan", "schedule_jobs"]

_log = logging.getLogger("wasm_grpc.job")

_MARK = "wasm-grpc"
_CALL_S = 30.0
"""Deadline of a call that writes a job: daprd itself waits for its scheduler as long (``rpcTimeout``)."""
_LEAST_S = 1.0
"""Least time to list the jobs in, if the wait for the sidecar has taken all."""
_GAVE_UP = "context deadline exceeded"
"""What daprd says when its own wait is over: the text of Go's ``context.DeadlineExceeded``."""
_FRACTION = re.compile(r"\.[0-9]+")


@dataclass(frozen=True, slots=True)
class Plan:
    """
    What is to be done so that Dapr has the jobs of the manifests.

    Attributes:
        new: Jobs to schedule.
        changed: Jobs to overwrite.
        left: Names of the jobs to delete.
    """

    new: tuple[ScheduledJob, ...] = ()
    changed: tuple[ScheduledJob, ...] = ()
    left: tuple[str, ...] = ()


def make_plan(
    wanted: Iterable[ScheduledJob],
    found: Iterable[pb.Job],
    *,
    served: Container[str] | None,
    now: datetime,
) -> Plan:
    """
    Compare the jobs of the manifests with those that Dapr has.

    Args:
        wanted: The manifests' jobs.
        found: Every job that Dapr has for this app.
        served: The functions whose jobs may be deleted; None for those of any function.
        now: The time. A job that was due once before it has run, and is not scheduled again.
    """
    by_name = {job.name: job for job in found}
    new: list[ScheduledJob] = []
    changed: list[ScheduledJob] = []
    names = set()
    for job in wanted:
        name = job.trigger.name
        names.add(name)
        known = by_name.get(name)
        if known is None:
            if job.trigger.schedule is None and _is_past(job.trigger.due_time or "", now):
                _log.info("job %r is not scheduled: its due_time %s is past", name, job.trigger.due_time)
            else:
                new.append(job)
        elif not _is_same(known, job_message(job)):
            changed.append(job)
    left = [
        job.name
        for job in by_name.values()
        if job.name not in names and (maker := _maker(job)) and (served is None or maker in served)
    ]
    return Plan(tuple(new), tuple(changed), tuple(left))


async def schedule_jobs(
    sidecar: Sidecar, wanted: Sequence[ScheduledJob], *, served: Container[str] | None, wait_s: float
) -> None:
    """
    Give Dapr the jobs of the manifests.

    Args:
        sidecar: The sidecar.
        wanted: The manifests' jobs.
        served: See `make_plan`.
        wait_s: Longest wait for Dapr's scheduler, in seconds.

    Raises:
        SidecarError: The scheduler can't be reached, or refuses a job.
    """
    try:
        found = await _list(sidecar, wait_s)
    except grpc.aio.AioRpcError as exc:
        raise SidecarError(
            f"no job can be scheduled: {describe(exc)}; "
            "expected daprd 1.17 or later, with a scheduler at its --scheduler-host-address"
        ) from exc
    plan = make_plan(wanted, found, served=served, now=datetime.now(timezone.utc))
    makers = {job.name: _maker(job) for job in found}
    for job in plan.new:
        await _write(sidecar, job, overwrite=False)
        _log.info("job %r is scheduled", job.trigger.name)
    for job in plan.changed:
        if not makers[job.trigger.name]:
            _log.warning("job %r was scheduled by somebody else; the manifest replaces it", job.trigger.name)
        await _write(sidecar, job, overwrite=True)
        _log.info("job %r has changed and is scheduled anew", job.trigger.name)
    await _delete(sidecar, plan.left)


async def delete_left_jobs(sidecar: Sidecar, *, served: Container[str] | None, wait_s: float) -> None:
    """
    Delete the jobs of ours that no manifest has, where no manifest schedules any. Failures are not reported.

    Args:
        sidecar: The sidecar.
        served: See `make_plan`.
        wait_s: Longest wait for Dapr's scheduler, in seconds.
    """
    try:
        found = await _list(sidecar, wait_s)
    except grpc.aio.AioRpcError as exc:
        # Most often daprd has no scheduler, and then no jobs either.
        _log.debug("the app's jobs can't be listed: %s", describe(exc))
        return
    await _delete(sidecar, make_plan((), found, served=served, now=datetime.now(timezone.utc)).left)


def job_message(job: ScheduledJob) -> pb.Job:
    """
    Return a manifest's job as Dapr has it.
    """
    trigger = job.trigger
    wrapped: Message = (
        empty_pb2.Empty() if trigger.data is None else wrappers_pb2.StringValue(value=trigger.data)
    )
    data = any_pb2.Any()
    data.Pack(wrapped, f"{_MARK}/{job.function.name}")
    return pb.Job(
        name=trigger.name,
        schedule=trigger.schedule,
        due_time=trigger.due_time,
        data=data,
        # Always given, so that it can be compared: Dapr stores its default where there is none.
        failure_policy=_failure_policy(trigger.failure or JobFailure()),
    )


def _failure_policy(failure: JobFailure) -> common_pb2.JobFailurePolicy:
    if failure.drop:
        return common_pb2.JobFailurePolicy(drop=common_pb2.JobFailurePolicyDrop())
    interval = duration_pb2.Duration()
    interval.FromTimedelta(timedelta(seconds=failure.interval))
    return common_pb2.JobFailurePolicy(
        constant=common_pb2.JobFailurePolicyConstant(interval=interval, max_retries=failure.retries)
    )


def _maker(job: pb.Job) -> str:
    """
    Return the function whose manifest made a job; "" if no manifest did.
    """
    mark, _, rest = job.data.type_url.partition("/")
    function, slash, _ = rest.partition("/")
    return function if mark == _MARK and slash else ""


def _is_same(known: pb.Job, wanted: pb.Job) -> bool:
    # Not the whole messages: a later daprd may add fields of its own.
    return all(
        getattr(known, field) == getattr(wanted, field)
        for field in ("schedule", "due_time", "data", "failure_policy")
    )


def _is_past(point: str, now: datetime) -> bool:
    try:
        # Without the fraction, which has up to nine digits.
        return datetime.strptime(_FRACTION.sub("", point), "%Y-%m-%dT%H:%M:%S%z") < now
    except ValueError:
        # A duration, or a time that the scheduler refuses.
        return False


async def _list(sidecar: Sidecar, wait_s: float) -> Sequence[pb.Job]:
    requests = (pb.ListJobsRequest(), pb.ListJobsRequestAlpha1())
    end_s = time.monotonic() + wait_s
    while True:
        left_s = end_s - time.monotonic()
        try:
            answer = await _call(sidecar, "ListJobs", requests, timeout_s=max(left_s, _LEAST_S))
        except grpc.aio.AioRpcError as exc:
            # daprd waits for its scheduler too, but may give up earlier.
            if left_s > _LEAST_S and str(exc.details()).endswith(_GAVE_UP):
                continue
            raise
        return tuple(answer.jobs)


async def _write(sidecar: Sidecar, job: ScheduledJob, *, overwrite: bool) -> None:
    request = pb.ScheduleJobRequest(job=job_message(job), overwrite=overwrite)
    try:
        await _call(sidecar, "ScheduleJob", (request, request), timeout_s=_CALL_S)
    except grpc.aio.AioRpcError as exc:
        if exc.code() is grpc.StatusCode.ALREADY_EXISTS:
            # Another server of this app was faster.
            return
        raise SidecarError(
            job.format_problem(
                f"job {job.trigger.name!r} can't be scheduled: {describe(exc)}; "
                "expected one that Dapr's scheduler accepts"
            )
        ) from exc


async def _delete(sidecar: Sidecar, names: Iterable[str]) -> None:
    for name in names:
        request = pb.DeleteJobRequest(name=name)
        try:
            await _call(sidecar, "DeleteJob", (request, request), timeout_s=_CALL_S)
        except grpc.aio.AioRpcError as exc:
            _log.warning("job %r can't be deleted: %s", name, describe(exc))
        else:
            _log.info("job %r is deleted: no manifest has it any more", name)


async def _call(sidecar: Sidecar, method: str, requests: tuple[Message, Message], *, timeout_s: float) -> Any:
    """
    Call a method under its name since daprd 1.18 or, where that is unknown, under the one before.
    """
    stable, alpha = requests
    try:
        return await sidecar.call(method, stable, metadata=(), timeout_s=timeout_s)
    except grpc.aio.AioRpcError as exc:
        if exc.code() is not grpc.StatusCode.UNIMPLEMENTED:
            raise
    return await sidecar.call(f"{method}Alpha1", alpha, metadata=(), timeout_s=timeout_s)
