"""The jobs that manifests schedule, against those that Dapr has."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Any, cast

import grpc
import pytest
from dapr.proto.runtime.v1 import jobs_pb2 as pb
from google.protobuf import any_pb2, json_format, wrappers_pb2
from google.protobuf.message import Message
from pydantic import TypeAdapter

from wasm_grpc.catalogue.function import Function
from wasm_grpc.catalogue.jobs import ScheduledJob, scheduled_jobs
from wasm_grpc.core.errors import SidecarError
from wasm_grpc.dapr.jobs import Plan, delete_left_jobs, job_message, make_plan, schedule_jobs
from wasm_grpc.dapr.sidecar import Sidecar
from wasm_grpc.manifest.tables import FunctionManifest

NOW = datetime(2030, 1, 1, 12, tzinfo=timezone.utc)
ASYNC = pytest.mark.asyncio


def job(name: str = "j", function: str = "f", **keys: object) -> ScheduledJob:
    """Return a job that a function's manifest schedules, daily where the keys don't say when."""
    if not keys.keys() & {"schedule", "due_time"}:
        keys["schedule"] = "@daily"
    document = {
        "name": function,
        "module": "f.wasm",
        "trigger": {"job": [{"name": "received"}, {"name": name, **keys}]},
    }
    manifest = TypeAdapter(FunctionManifest).validate_python(document)
    (found,) = scheduled_jobs([Function(folder=Path("dir"), manifest=manifest)])
    return found


def foreign(name: str) -> pb.Job:
    """Return a job that somebody else has scheduled."""
    data = any_pb2.Any()
    data.Pack(wrappers_pb2.StringValue(value="x"))
    return pb.Job(name=name, schedule="@daily", data=data)


def test_a_job_as_dapr_has_it() -> None:
    """Its data says which function's manifest made it; its failure policy is always given."""
    message = job(due_time="10m", data="text", failure={"retries": "unlimited", "interval": "1500ms"})

    assert json_format.MessageToDict(job_message(message)) == {
        "name": "j",
        "dueTime": "10m",
        "data": {"@type": "wasm-grpc/f/google.protobuf.StringValue", "value": "text"},
        "failurePolicy": {"constant": {"interval": "1.500s"}},
    }
    assert json_format.MessageToDict(job_message(job())) == {
        "name": "j",
        "schedule": "@daily",
        "data": {"@type": "wasm-grpc/f/google.protobuf.Empty"},
        "failurePolicy": {"constant": {"interval": "1s", "maxRetries": 3}},
    }
    assert json_format.MessageToDict(job_message(job(failure={"drop": True})))["failurePolicy"] == {
        "drop": {}
    }


def plan(*wanted: ScheduledJob, found: tuple[pb.Job, ...] = (), served: set[str] | None = None) -> Plan:
    """Make a plan."""
    return make_plan(wanted, found, served=served, now=NOW)


def test_new_jobs_are_scheduled() -> None:
    """Those that Dapr doesn't have."""
    assert plan(job("a"), job("b"), found=(job_message(job("a")),)) == Plan(new=(job("b"),))


@pytest.mark.parametrize(
    "keys",
    [
        {"schedule": "@hourly"},
        {"due_time": "1m"},
        {"data": "y"},
        {"failure": {"drop": True}},
        {"function": "g"},
    ],
    ids=str,
)
def test_changed_jobs_are_overwritten(keys: dict[str, Any]) -> None:
    """Those of which anything differs, also where somebody else has made them."""
    changed = job(**{"schedule": "@daily", "data": "x", **keys})

    assert plan(changed, found=(job_message(job(data="x")),)) == Plan(changed=(changed,))
    assert plan(job("a"), found=(foreign("a"),)).changed


def test_what_daprd_adds_is_no_difference() -> None:
    """Fields that a manifest can't set are not compared."""
    found = job_message(job())
    found.repeats = 3

    assert plan(job(), found=(found,)) == Plan()


@pytest.mark.parametrize(
    ("served", "left"),
    [(None, ("a", "b")), ({"f"}, ("a",)), (set(), ())],
    ids=["every function", "only f", "none"],
)
def test_jobs_that_left_the_manifests(served: set[str] | None, left: tuple[str, ...]) -> None:
    """Those that a manifest made, of the functions that are served."""
    found = (job_message(job("a")), job_message(job("b", "g")), foreign("c"))

    assert plan(found=found, served=served) == Plan(left=left)


@pytest.mark.parametrize(
    ("keys", "is_scheduled"),
    [
        ({"due_time": "2030-01-01T11:59:59Z"}, False),
        ({"due_time": "2030-01-01T13:59:59.123456789+02:00"}, False),
        ({"due_time": "2030-01-01T12:00:01Z"}, True),
        ({"due_time": "2029-13-01T12:00:01Z"}, True),
        ({"due_time": "PT1M"}, True),
        ({"due_time": "2029-01-01T12:00:01Z", "schedule": "@daily"}, True),
    ],
    ids=str,
)
def test_a_job_that_was_due_once(keys: dict[str, str], is_scheduled: bool) -> None:  # noqa: FBT001
    """Its time is past, so it has run; Dapr would run it again at each start. One that waits still stays."""
    assert bool(plan(job(**keys)).new) is is_scheduled
    assert plan(job(**keys), found=(job_message(job(**keys)),)) == Plan()


class FakeSidecar:
    """A sidecar that has jobs, and fails the methods that it is told to."""

    def __init__(
        self, *jobs: pb.Job, fails: dict[str, tuple[grpc.StatusCode, str]], times: int = 1_000_000
    ) -> None:
        self.calls: list[str] = []
        self._times = times
        self._jobs = jobs
        self._fails = fails

    async def call(self, method: str, request: Message, *, metadata: object, timeout_s: float) -> object:
        """See `Sidecar`."""
        job = getattr(request, "job", None)
        self.calls.append(f"{method} {job.name if job else getattr(request, 'name', '')}".strip())
        if (failure := self._fails.get(method)) and self._times:
            self._times -= 1
            code, details = failure
            nothing = grpc.aio.Metadata()
            raise grpc.aio.AioRpcError(code, nothing, nothing, details=details)
        return pb.ListJobsResponse(jobs=self._jobs)


CODES = grpc.StatusCode


@ASYNC
async def test_an_older_daprd_knows_the_alpha_names() -> None:
    """Each call is made under its older name where the newer one is unknown."""
    unknown = (CODES.UNIMPLEMENTED, "unknown method")
    sidecar = FakeSidecar(
        job_message(job("left")),
        fails={"ListJobs": unknown, "ScheduleJob": unknown, "DeleteJob": unknown},
    )

    await schedule_jobs(cast("Sidecar", sidecar), [job("new")], served=None, wait_s=1)

    assert sidecar.calls == [
        "ListJobs",
        "ListJobsAlpha1",
        "ScheduleJob new",
        "ScheduleJobAlpha1 new",
        "DeleteJob left",
        "DeleteJobAlpha1 left",
    ]


@ASYNC
async def test_a_scheduler_that_comes_late() -> None:
    """Dapr waits for it, and is asked again if it gives up before the time is over."""
    gave_up = (CODES.INTERNAL, "failed to list jobs due to: context deadline exceeded")
    patient, impatient = (FakeSidecar(fails={"ListJobs": gave_up}, times=2) for _ in range(2))

    await schedule_jobs(cast("Sidecar", patient), [job()], served=None, wait_s=60)
    with pytest.raises(SidecarError, match="no job can be scheduled: INTERNAL: failed to list jobs"):
        await schedule_jobs(cast("Sidecar", impatient), [job()], served=None, wait_s=0)

    assert patient.calls == ["ListJobs", "ListJobs", "ListJobs", "ScheduleJob j"]
    assert impatient.calls == ["ListJobs"]


@ASYNC
async def test_a_job_that_the_scheduler_refuses() -> None:
    """The error has the manifest's file and key, and the scheduler's own words."""
    sidecar = FakeSidecar(fails={"ScheduleJob": (CODES.INTERNAL, "bad")})

    with pytest.raises(SidecarError) as caught:
        await schedule_jobs(cast("Sidecar", sidecar), [job()], served=None, wait_s=1)

    assert str(caught.value) == (
        "dir/function.toml: trigger.job[1]: job 'j' can't be scheduled: INTERNAL: bad; "
        "expected one that Dapr's scheduler accepts"
    )


@ASYNC
async def test_another_server_was_faster() -> None:
    """A job that exists by now is no failure, nor is one that can't be deleted."""
    fails = {"ScheduleJob": (CODES.ALREADY_EXISTS, "exists"), "DeleteJob": (CODES.INTERNAL, "busy")}
    sidecar = FakeSidecar(job_message(job("left")), fails=fails)

    await schedule_jobs(cast("Sidecar", sidecar), [job()], served=None, wait_s=1)

    assert sidecar.calls == ["ListJobs", "ScheduleJob j", "DeleteJob left"]


@ASYNC
async def test_no_scheduler_and_no_jobs() -> None:
    """Where nothing is to be scheduled, nobody is told that there is no scheduler."""
    sidecar = FakeSidecar(fails={"ListJobs": (CODES.INTERNAL, "scheduler clients are disabled")})

    await delete_left_jobs(cast("Sidecar", sidecar), served=None, wait_s=1)

    assert sidecar.calls == ["ListJobs"]
