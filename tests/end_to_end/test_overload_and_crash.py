"""
A binding's event and a job whose function is overloaded, or whose worker dies, as daprd sees them.

How it is with topics is in `test_topics` and `test_topics_redelivery`.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from end_to_end.dapr_app import PUBSUB, Component, DaprApp, run_dapr_app
from end_to_end.jobs import no_job, open_rig, write_job_function
from integration.guests import write_function
from integration.processes import busy_worker, until, worker_pids
from rig import Server

__all__ = ["overloaded"]

pytestmark = pytest.mark.timeout(60)

OUT = f'then = {{ publish = {{ pubsub = "{PUBSUB}", topic = "{{name}}" }} }}'
"""Each binding and each job has the topic of its name."""
ONE_AT_A_TIME = "[pool]\nmax = 1\nqueue = 0\n"
QUEUE_FULL = "QUEUE_FULL: function '.*': too many invocations wait"
LOG_TIMEOUT_S = 10.0


def schedule(every: str) -> Component:
    """Return the component of a schedule."""
    return "bindings.cron", {"schedule": f"@every {every}", "direction": "input"}


def policy(*names: str, interval: str, retries: int) -> str:
    """Return the resource by which daprd delivers events of these bindings again."""
    retry = {"policy": "constant", "duration": interval, "maxRetries": retries}
    targets = {name: {"inbound": {"retry": "again"}} for name in names}
    spec = {"policies": {"retries": {"again": retry}}, "targets": {"components": targets}}
    resource = {"apiVersion": "dapr.io/v1alpha1", "kind": "Resiliency", "metadata": {"name": "again"}}
    return json.dumps({**resource, "spec": spec})


def write_binding_function(folder: Path, name: str, *bindings: str, guest: str, sections: str) -> None:
    """Write a function that receives the events of these bindings."""
    trigger = "\n".join(f'[[trigger.binding]]\nname = "{each}"\n{OUT}\n' for each in bindings)
    write_function(folder, name, guest=guest, sections=sections, trigger=trigger)


def lines_with(server: Server, pattern: str) -> list[str]:
    """Return the lines of the server's log in which a pattern is found."""
    return [line for line in server.process.stderr.lines if re.search(pattern, line)]


async def server_says(server: Server, pattern: str) -> None:
    """Wait for a line of the server's log, which is written a little later than it answers."""
    await asyncio.wait_for(server.process.stderr.match(pattern), LOG_TIMEOUT_S)


async def daprd_says(app: DaprApp, pattern: str) -> None:
    """Wait for a line of the sidecar's log."""
    log = app.sidecar.log_file
    await until(lambda: re.search(pattern, log.read_text()) is not None, f"daprd to say {pattern!r}")


def retries(app: DaprApp, name: str) -> int:
    """Return for how many events of a binding daprd has said that it delivers them again."""
    return app.sidecar.log_file.read_text().count(f"component[{name}] input. Retrying")


async def kill_busy_worker(server: Server, *, ticks: int = 5) -> None:
    """Wait for a worker to run a guest, kill it, and wait for the one in its place."""
    before = set(worker_pids(server.process.pid))
    os.kill(await busy_worker(server.process.pid, ticks=ticks), signal.SIGKILL)
    await until(lambda: bool(set(worker_pids(server.process.pid)) - before), "a worker in its place")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def overloaded(
    cache_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[DaprApp]:
    """An app of which each function gets two events every second at once, and takes one at a time."""
    folder = tmp_path_factory.mktemp("overloaded")
    outcomes = {"policed": "retry", "plain": "retry", "dropped": "drop"}
    for name, verdict in outcomes.items():
        sections = f'{ONE_AT_A_TIME}[outcome]\noverloaded = "{verdict}"\n'
        bindings = f"{name}-a", f"{name}-b"
        write_binding_function(folder / "functions", name, *bindings, guest="doze", sections=sections)
    names = [f"{name}-{each}" for name in outcomes for each in "ab"]
    policed = [name for name in names if not name.startswith("plain")]
    async with run_dapr_app(
        folder / "functions",
        folder,
        "--workers",
        "8",
        env=cache_environment,
        components={name: schedule("1s") for name in names},
        policy=policy(*policed, interval="100ms", retries=8),
        log_level="debug",
    ) as app:
        yield app


@pytest.mark.asyncio(loop_scope="module")
async def test_an_event_that_is_too_many(overloaded: DaprApp) -> None:
    """It is an error to daprd, whose policy delivers it again until there is room."""
    await server_says(overloaded.server, f"event of binding 'policed-.' .* is to be retried: {QUEUE_FULL}")
    await daprd_says(overloaded, r"Recovered processing operation component\[policed-.\] input after")

    for name in ("policed-a", "policed-b"):
        await overloaded.broker.messages(name, 1)


@pytest.mark.asyncio(loop_scope="module")
async def test_an_event_that_is_too_many_without_a_policy(overloaded: DaprApp) -> None:
    """The component gets the error. A schedule's ignores it: the next event comes in time, and nothing sooner."""
    await daprd_says(
        overloaded,
        r"error from app consumer for binding \[plain-.\]: .*"
        r"code = FailedPrecondition desc = function 'plain': too many invocations wait",
    )
    await overloaded.broker.messages("plain-a", 1)

    assert [retries(overloaded, f"plain-{each}") for each in "ab"] == [0, 0]


@pytest.mark.asyncio(loop_scope="module")
async def test_an_event_that_is_too_many_and_dropped(overloaded: DaprApp) -> None:
    """With `overloaded = "drop"` it is a success to daprd, which doesn't deliver it again."""
    await server_says(overloaded.server, f"event of binding 'dropped-.' .* is dropped: {QUEUE_FULL}")
    before = len(lines_with(overloaded.server, "'dropped-.' .* is dropped"))
    await until(
        lambda: len(lines_with(overloaded.server, "'dropped-.' .* is dropped")) > before, "the next one"
    )

    assert [retries(overloaded, f"dropped-{each}") for each in "ab"] == [0, 0]


@asynccontextmanager
async def run_schedule(
    folder: Path, env: Mapping[str, str], *, guest: str, is_retried: bool = True
) -> AsyncIterator[DaprApp]:
    """Run an app whose function gets an event of the binding `tick` every three seconds."""
    write_binding_function(
        folder / "functions", "f", "tick", guest=guest, sections='[limits]\ntimeout = "20s"\n'
    )
    async with run_dapr_app(
        folder / "functions",
        folder,
        "--drain",
        "0s",
        env=env,
        components={"tick": schedule("3s")},
        policy=policy("tick", interval="10ms", retries=5) if is_retried else "",
        log_level="debug",
    ) as app:
        yield app


@pytest.mark.asyncio
async def test_an_event_whose_worker_dies(cache_environment: dict[str, str], tmp_path: Path) -> None:
    """It is an error to daprd, whose policy delivers it again; another worker takes it."""
    async with run_schedule(tmp_path, cache_environment, guest="work") as app:
        await kill_busy_worker(app.server)
        await daprd_says(app, r"Recovered processing operation component\[tick\] input after")

        assert await app.broker.length("tick") == 1
        assert len(lines_with(app.server, "event of binding 'tick' .* is to be retried: CRASHED")) == 1


@pytest.mark.asyncio
async def test_an_event_that_kills_two_workers(cache_environment: dict[str, str], tmp_path: Path) -> None:
    """It is dropped, and a success to daprd, which delivers it no third time."""
    async with run_schedule(tmp_path, cache_environment, guest="spin") as app:
        await kill_busy_worker(app.server)
        # The worker in its place may have begun by now, and computes for less than this when it starts.
        await kill_busy_worker(app.server, ticks=60)
        await server_says(app.server, "event of binding 'tick' .* is dropped: CRASHED")

        assert len(lines_with(app.server, "event of binding 'tick' .* is to be retried: CRASHED")) == 1
        assert retries(app, "tick") == 1


@pytest.mark.asyncio
async def test_an_event_whose_worker_dies_without_a_policy(
    cache_environment: dict[str, str], tmp_path: Path
) -> None:
    """The component gets the error."""
    async with run_schedule(tmp_path, cache_environment, guest="work", is_retried=False) as app:
        await kill_busy_worker(app.server)

        await daprd_says(
            app,
            r"error from app consumer for binding \[tick\]: .*"
            r"code = FailedPrecondition desc = function 'f': its worker died",
        )


@pytest.fixture
def functions(tmp_path: Path) -> Path:
    """The folder of the test's functions."""
    return tmp_path / "functions"


@pytest.mark.asyncio
async def test_a_job_that_is_too_many(
    functions: Path, cache_environment: dict[str, str], tmp_path: Path
) -> None:
    """Of two jobs at once for a function that takes one, the other is tried again, or dropped as `[outcome]` says."""
    jobs = {verdict: [f"{verdict}-{each}" for each in "ab"] for verdict in ("retry", "drop")}
    for verdict, names in jobs.items():
        sections = f'{ONE_AT_A_TIME}[outcome]\noverloaded = "{verdict}"\n'
        when = "due_time = '1s'\nfailure = { retries = 10, interval = '200ms' }"
        tables = [f'name = "{name}"\n{when}\n{OUT}' for name in names]
        write_job_function(functions, verdict, *tables, guest="doze", sections=sections)

    async with (
        open_rig(tmp_path, cache_environment) as rig,
        rig.run(functions, "--workers", "4") as (server, sidecar),
    ):
        await server_says(server, f"job 'retry-.' .* is to be retried: {QUEUE_FULL}")
        await server_says(server, f"job 'drop-.' .* is dropped: {QUEUE_FULL}")
        for name in (*jobs["retry"], *jobs["drop"]):
            await no_job(sidecar, name)
        done = {
            verdict: [name for name in names if await rig.broker.length(name)]
            for verdict, names in jobs.items()
        }

    assert (done["retry"], len(done["drop"])) == (jobs["retry"], 1)


@pytest.mark.asyncio
async def test_a_job_whose_worker_dies(
    functions: Path, cache_environment: dict[str, str], tmp_path: Path
) -> None:
    """Its failure policy tries it again, and another worker takes it."""
    job = f'name = "once"\ndue_time = "0s"\nfailure = {{ retries = 5, interval = "100ms" }}\n{OUT}'
    write_job_function(functions, "f", job, guest="work")

    async with open_rig(tmp_path, cache_environment) as rig, rig.run(functions) as (server, sidecar):
        await kill_busy_worker(server)
        await no_job(sidecar, "once")

        assert len(lines_with(server, "job 'once' .* is to be retried: CRASHED")) == 1
        assert await rig.broker.length("once") == 1


@pytest.mark.asyncio
async def test_a_job_that_kills_two_workers(
    functions: Path, cache_environment: dict[str, str], tmp_path: Path
) -> None:
    """It is dropped, though its policy would try it for ever; nothing of it is left with the scheduler."""
    job = 'name = "twice"\ndue_time = "0s"\nfailure = { retries = "unlimited", interval = "100ms" }'
    write_job_function(functions, "f", job, guest="spin", sections='[limits]\ntimeout = "20s"\n')

    async with open_rig(tmp_path, cache_environment) as rig, rig.run(functions) as (server, sidecar):
        await kill_busy_worker(server)
        await kill_busy_worker(server, ticks=60)
        await server_says(server, "job 'twice' .* is dropped: CRASHED")
        await no_job(sidecar, "twice")

        assert len(lines_with(server, "CRASHED")) == 2
