"""Jobs behind a real sidecar and Dapr's own scheduler."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from dapr.proto.runtime.v1 import jobs_pb2
from google.protobuf import any_pb2, wrappers_pb2

from end_to_end.jobs import (
    OUT,
    JobRig,
    dapr_stub,
    jobs_of,
    no_job,
    open_rig,
    said,
    schedule,
    write_job_function,
)
from end_to_end.topics import texts_of
from integration.commands import run_command
from integration.guests import write_function
from integration.processes import until
from rig import broker, child, installed_command, scheduler, serve
from rig.environment import clean_environment

pytestmark = pytest.mark.asyncio

REPOSITORY = Path(__file__).resolve().parents[2]
START_TIMEOUT_S = 30


@pytest_asyncio.fixture
async def rig(tmp_path: Path, cache_environment: dict[str, str]) -> AsyncIterator[JobRig]:
    """A broker and a scheduler of the test's own."""
    async with open_rig(tmp_path, cache_environment) as running:
        yield running


async def test_a_job_is_scheduled_by_its_manifest_alone(rig: JobRig, tmp_path: Path) -> None:
    """It runs in its periods, before and after a restart of server and sidecar, which doesn't schedule it anew."""
    functions = tmp_path / "functions"
    write_job_function(functions, "act", f'name = "nightly"\nschedule = "@every 1s"\ndata = "night"\n{OUT}')

    async with rig.run(functions) as (server, sidecar):
        await said(server, "job 'nightly' is scheduled")
        await rig.broker.messages("out", 2)
        before = await jobs_of(sidecar)
    async with rig.run(functions) as (server, sidecar):
        after = await jobs_of(sidecar)
        so_far = await rig.broker.length("out")
        await rig.broker.messages("out", so_far + 2)
        lines = [line for line in server.process.stderr.lines if "is scheduled" in line]

    assert (after, lines) == (before, [])
    assert set(await texts_of(rig.broker, "out")) == {"night"}


async def test_the_job_of_the_page(rig: JobRig, tmp_path: Path) -> None:
    """The manifest in docs/triggers.md does what the page says, here each second and not each night."""
    functions = tmp_path / "functions"
    page = await asyncio.to_thread((REPOSITORY / "docs" / "triggers.md").read_text)
    _, _, section = page.partition("\n## A job\n")
    trigger = section.partition("```toml\n")[2].partition("```")[0]
    assert 'schedule = "0 30 3 * * *"' in trigger
    trigger = trigger.replace("0 30 3 * * *", "@every 1s")
    write_function(functions, "act", trigger=trigger)

    async with rig.run(functions) as (_, sidecar):
        await rig.broker.messages("reports", 1)
        policy = (await jobs_of(sidecar))["nightly"].failure_policy.constant

    assert set(await texts_of(rig.broker, "reports")) == {'{"days": 7}'}
    assert (policy.max_retries, policy.interval.seconds) == (5, 60)


async def test_a_scheduler_that_restarts(tmp_path: Path, cache_environment: dict[str, str]) -> None:
    """It still has the job, which runs without a server that schedules it anew."""
    functions = tmp_path / "functions"
    write_job_function(functions, "act", f'name = "nightly"\nschedule = "@every 1s"\ndata = "night"\n{OUT}')
    async with broker(tmp_path, has_policy=False) as running:
        async with scheduler(tmp_path) as port:
            rig = JobRig(folder=tmp_path, broker=running, scheduler_port=port, env=cache_environment)
            async with rig.run(functions):
                await running.messages("out", 1)
        so_far = await running.length("out")
        async with scheduler(tmp_path, port=port), rig.run(functions) as (server, _):
            await running.messages("out", so_far + 1)
            assert not [line for line in server.process.stderr.lines if "is scheduled" in line]


async def test_jobs_that_others_schedule(rig: JobRig, tmp_path: Path) -> None:
    """What they were scheduled with, over HTTP or gRPC, is the function's input without its wrapping."""
    functions = tmp_path / "functions"
    write_job_function(functions, "act", *(f'name = "{name}"\n{OUT}' for name in ("text", "json", "bytes")))
    data = any_pb2.Any()
    data.Pack(wrappers_pb2.BytesValue(value=b"a b"))

    async with rig.run(functions) as (_, sidecar):
        await schedule(sidecar, "text", {"dueTime": "0s", "data": 'a "b"'})
        await schedule(sidecar, "json", {"dueTime": "0s", "data": {"a": [1, 2.5]}})
        async with dapr_stub(sidecar) as (stub, metadata):
            job = jobs_pb2.Job(name="bytes", due_time="0s", data=data)
            await stub.ScheduleJob(jobs_pb2.ScheduleJobRequest(job=job), metadata=metadata, timeout=10)
        await rig.broker.messages("out", 3)

    assert sorted(await texts_of(rig.broker, "out")) == ['a "b"', "a b", '{"a":[1,2.5]}']


async def test_the_variables_of_a_job(rig: JobRig, tmp_path: Path) -> None:
    """The function learns the job's name and the type of its data, and sees no token."""
    functions = tmp_path / "functions"
    job = f'name = "nightly"\ndue_time = "0s"\ndata = "x"\n{OUT}'
    write_job_function(functions, "f", job, guest="environment", sections='env.ZONE = "Mars"')

    async with rig.run(functions):
        await rig.broker.messages("out", 1)

    (text,) = await texts_of(rig.broker, "out")
    env = dict(line.split("=", 1) for line in text.rstrip("\0").split("\0"))
    assert {name: env.get(name) for name in ("JOB_NAME", "CONTENT_TYPE", "CONTENT_LENGTH", "ZONE")} == {
        "JOB_NAME": "nightly",
        "CONTENT_TYPE": "text/plain; charset=utf-8",
        "CONTENT_LENGTH": "1",
        "ZONE": "Mars",
    }
    assert "token" not in text


async def test_dapr_retries_a_job_that_failed(rig: JobRig, tmp_path: Path) -> None:
    """It is tried again as often as its failure policy says, and then given up."""
    functions = tmp_path / "functions"
    job = 'name = "once"\ndue_time = "0s"\ndata = "fails"\nfailure = { retries = 2, interval = "100ms" }'
    write_job_function(functions, "act", job, sections='outcome.failed = "retry"')

    async with rig.run(functions) as (server, sidecar):
        await said(server, "job 'once' .* is to be retried: EXITED", 3)
        await no_job(sidecar, "once")
        tries = [line for line in server.process.stderr.lines if "is to be retried" in line]

    assert len(tries) == 3


@pytest.mark.parametrize(
    ("failure", "outcome", "line"),
    [("{ drop = true }", "retry", "is to be retried"), ("{ retries = 'unlimited' }", "drop", "is dropped")],
    ids=["policy", "outcome"],
)
async def test_a_job_that_is_never_retried(
    rig: JobRig, tmp_path: Path, failure: str, outcome: str, line: str
) -> None:
    """Either its policy drops it, or its function's [outcome]."""
    functions = tmp_path / "functions"
    job = f'name = "once"\ndue_time = "0s"\ndata = "fails"\nfailure = {failure}'
    write_job_function(functions, "act", job, sections=f'outcome.failed = "{outcome}"')

    async with rig.run(functions) as (server, sidecar):
        await said(server, f"job 'once' .* {line}: EXITED")
        await no_job(sidecar, "once")
        tries = [each for each in server.process.stderr.lines if "EXITED" in each]

    assert len(tries) == 1


async def test_a_job_that_is_due_while_the_server_is_down(rig: JobRig, tmp_path: Path) -> None:
    """Its failure policy tries it until the server is back, which then runs it once."""
    functions = tmp_path / "functions"
    write_job_function(functions, "act", f'name = "once"\n{OUT}')
    sidecar = rig.sidecar()
    env = {**rig.env, **sidecar.app_environment}

    def is_refused() -> bool:
        return "while processing triggered job once. status code returned: 14" in sidecar.log_file.read_text()

    async with sidecar:
        async with serve(functions, port=sidecar.app_port or 0, env=env):
            await sidecar.app_ready()
        policy = {"constant": {"interval": "0.1s", "maxRetries": 1000}}
        await schedule(sidecar, "once", {"dueTime": "0s", "data": "night", "failurePolicy": policy})
        await until(is_refused, "the job to fail")
        async with serve(functions, port=sidecar.app_port or 0, env=env):
            await no_job(sidecar, "once")

    assert await texts_of(rig.broker, "out") == ["night"]


async def test_an_unknown_job_is_retried(rig: JobRig, tmp_path: Path) -> None:
    """A job that no function receives fails, so that Dapr tries it again."""
    functions = tmp_path / "functions"
    write_job_function(functions, "act", 'name = "known"')

    async with rig.run(functions) as (server, sidecar):
        policy = {"constant": {"interval": "0.1s", "maxRetries": 1}}
        await schedule(sidecar, "unknown", {"dueTime": "0s", "failurePolicy": policy})
        await said(server, "job 'unknown': no function receives it", 2)


async def test_a_job_that_left_the_manifest(rig: JobRig, tmp_path: Path) -> None:
    """It is deleted at the next start, whether or not other jobs are left; what others scheduled stays."""
    functions = tmp_path / "functions"
    first, second = (f'name = "{name}"\nschedule = "@yearly"' for name in ("first", "second"))
    place = write_job_function(functions, "act", first, second)
    async with rig.run(functions) as (_, sidecar):
        await schedule(sidecar, "foreign", {"schedule": "@yearly"})
        assert set(await jobs_of(sidecar)) == {"first", "second", "foreign"}

    shutil.rmtree(place)
    write_job_function(functions, "act", second.replace("@yearly", "@monthly"))
    async with rig.run(functions) as (_, sidecar):
        jobs = await jobs_of(sidecar)
        assert (set(jobs), jobs["second"].schedule) == ({"second", "foreign"}, "@monthly")

    shutil.rmtree(place)
    write_job_function(functions, "act", 'name = "foreign"')
    async with rig.run(functions) as (_, sidecar):
        await no_job(sidecar, "second")
        assert set(await jobs_of(sidecar)) == {"foreign"}


async def test_only_some_functions_are_served(rig: JobRig, tmp_path: Path) -> None:
    """With `--only`, the jobs of the other functions stay."""
    functions = tmp_path / "functions"
    for name in ("a", "b"):
        write_job_function(functions, name, f'name = "{name}"\nschedule = "@yearly"')
    async with rig.run(functions):
        pass

    async with rig.run(functions, "--only", "a") as (_, sidecar):
        assert set(await jobs_of(sidecar)) == {"a", "b"}


async def test_a_sidecar_that_comes_late(rig: JobRig, tmp_path: Path) -> None:
    """A server that has jobs to schedule waits for it."""
    functions = tmp_path / "functions"
    write_job_function(functions, "act", 'name = "nightly"\nschedule = "@yearly"')
    sidecar = rig.sidecar()
    command = (installed_command(), "serve", functions, "--port", str(sidecar.app_port))

    async with child(*command, env=clean_environment({**rig.env, **sidecar.app_environment})) as server:
        await asyncio.wait_for(server.stderr.match("waiting for the sidecar"), START_TIMEOUT_S)
        async with sidecar:
            await server.line("^serving ", timeout_s=START_TIMEOUT_S)
            jobs = await jobs_of(sidecar)

    assert set(jobs) == {"nightly"}


async def test_a_sidecar_without_a_scheduler(rig: JobRig, tmp_path: Path) -> None:
    """The server ends with a sentence that says what is missing."""
    functions = tmp_path / "functions"
    write_job_function(functions, "act", 'name = "nightly"\nschedule = "@yearly"')
    lonely = JobRig(folder=rig.folder, broker=rig.broker, scheduler_port=None, env=rig.env).sidecar()

    async with lonely:
        env = {**rig.env, **lonely.app_environment}
        ended = await asyncio.to_thread(run_command, "serve", functions, "--port", "0", env=env)

    assert (ended.code, ended.errors[-1]) == (
        2,
        "wasm-grpc serve: no job can be scheduled: INTERNAL: failed to list jobs due to: scheduler clients are "
        "disabled; expected daprd 1.17 or later, with a scheduler at its --scheduler-host-address",
    )
