"""Input bindings on a real sidecar: a schedule's events, their results, and what a failure means to daprd."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from end_to_end.dapr_app import (
    APP_ID,
    BINDING,
    PUBSUB,
    STATE,
    Component,
    DaprApp,
    run_dapr_app,
    write_components,
)
from integration.guests import write_function
from integration.processes import until
from rig import Daprd, Server, broker, free_port, serve

__all__ = ["app"]

pytestmark = pytest.mark.asyncio(loop_scope="module")

RETRIES = 2
ALL_RETRIED = "".join(f'{key} = "retry"\n' for key in ("rejected", "failed", "timeout", "then_failed"))
LIMITS = '[limits]\ntimeout = "200ms"\n'
OUTCOMES = {
    "rejected": ("reject", "REJECTED"),
    "failed": ("exit-300", "EXITED"),
    "trapped": ("trap", "TRAPPED"),
    "timeout": ("spin", "TIMEOUT"),
    "unsent": ("deaf", "THEN_FAILED"),
}
"""The guest that ends so whatever its input is, and the reason that is logged."""
NOWHERE = 'then = { publish = { pubsub = "nowhere", topic = "t" } }'
TICK = f"""
[[trigger.binding]]
name = "tick"
then = [
  {{ state = {{ store = "{STATE}", key = "{{name}}-{{id}}" }} }},
  {{ publish = {{ pubsub = "{PUBSUB}", topic = "ticks" }} }},
]
"""


def cron(schedule: str) -> Component:
    """Return a schedule's component."""
    return "bindings.cron", {"schedule": schedule, "direction": "input"}


def policy(*names: str) -> str:
    """Return the resource that has the events of these bindings delivered again at once, a few times."""
    return json.dumps(
        {
            "apiVersion": "dapr.io/v1alpha1",
            "kind": "Resiliency",
            "metadata": {"name": "bindings"},
            "spec": {
                "policies": {
                    "retries": {"few": {"policy": "constant", "duration": "10ms", "maxRetries": RETRIES}}
                },
                "targets": {"components": {name: {"inbound": {"retry": "few"}} for name in names}},
            },
        }
    )


@pytest.fixture(scope="module")
def functions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Functions that receive a schedule's events; a binding's name says how its function ends."""
    folder = tmp_path_factory.mktemp("bindings") / "functions"
    for verdict, outcomes in (("retry", ALL_RETRIED), ("drop", ALL_RETRIED.replace("retry", "drop"))):
        for name, (guest, _) in OUTCOMES.items():
            binding = f'[[trigger.binding]]\nname = "{name}-{verdict}"\n'
            write_function(
                folder,
                f"{name}-{verdict}",
                guest=guest,
                sections=f"{LIMITS}[outcome]\n{outcomes}",
                trigger=binding + (NOWHERE if name == "unsent" else ""),
            )
    for guest in ("array", "deaf"):
        concurrency = "parallel" if guest == "array" else "sequential"
        trigger = (
            f'[[trigger.binding]]\nname = "{guest}"\nto = ["{BINDING}"]\nconcurrency = "{concurrency}"\n'
        )
        write_function(folder, guest, trigger=trigger)
    write_function(folder, "tick", guest="environment", trigger=TICK)
    return folder


def components() -> Mapping[str, Component]:
    """Return a schedule for each binding. Without a direction daprd asks the app what it takes."""
    failing = {f"{name}-{verdict}": cron("@every 2s") for name in OUTCOMES for verdict in ("retry", "drop")}
    every_second = ("bindings.cron", {"schedule": "@every 1s"})
    return {**failing, "array": cron("@every 1s"), "deaf": cron("@every 1s"), "tick": every_second}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def app(
    functions: Path,
    engine: str,
    cache_environment: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[DaprApp]:
    """An app on each engine, with a policy for the bindings that fail."""
    folder = tmp_path_factory.mktemp(f"bindings-{engine}")
    schedules = components()
    async with run_dapr_app(
        functions,
        folder,
        "--engine",
        engine,
        env=cache_environment,
        components=schedules,
        policy=policy(*(name for name in schedules if "-" in name)),
    ) as running:
        yield running


async def test_a_schedule_whose_result_is_saved(app: DaprApp) -> None:
    """Its events run the function, which learns the binding's name; each result is in the store."""
    (event,) = (await app.broker.events("ticks", 1))[:1]
    (key,) = [key async for key in app.redis.scan_iter(f"{STATE}||tick-*")][:1]

    value = (await app.saved(key.decode().partition("||")[2])).body
    assert event["source"] == f"wasm-grpc/{APP_ID}/tick"
    variables = dict(pair.split("=", 1) for pair in value.rstrip(b"\0").decode().split("\0"))
    assert (variables["BINDING_NAME"], variables["CONTENT_LENGTH"]) == ("tick", "0")
    assert variables["HTTP_READTIMEUTC"]
    assert not [name for name in variables if "TOKEN" in name]


@pytest.mark.parametrize(("name", "case"), OUTCOMES.items(), ids=OUTCOMES)
async def test_a_failure_to_be_retried(app: DaprApp, name: str, case: tuple[str, str]) -> None:
    """It is an error to daprd, whose policy delivers the event again."""
    await said(app, f"{name}-retry", f"is to be retried: {case[1]}: ", RETRIES + 1)

    await until(lambda: retries(app, f"{name}-retry") >= RETRIES, "daprd to say that it retries")


@pytest.mark.parametrize(("name", "case"), OUTCOMES.items(), ids=OUTCOMES)
async def test_a_failure_to_be_dropped(app: DaprApp, name: str, case: tuple[str, str]) -> None:
    """It is a success to daprd: the next event comes by the schedule, and none is delivered again."""
    await said(app, f"{name}-drop", f"is dropped: {case[1]}: ", 2)

    assert retries(app, f"{name}-drop") == 0


async def said(app: DaprApp, binding: str, end: str, count: int) -> None:
    """Wait until the server has logged the end of so many events of a binding."""
    pattern = re.compile(rf"event of binding '{binding}' \(invocation \S+\) {end}")

    def are_there() -> bool:
        return len([line for line in app.server.process.stderr.lines if pattern.search(line)]) >= count

    await until(are_there, f"{count} lines {pattern.pattern!r}", timeout_s=15)


def retries(app: DaprApp, binding: str) -> int:
    """Return how often daprd has said that it delivers an event of a binding again."""
    return app.sidecar.log_file.read_text().count(f"component[{binding}] input. Retrying")


async def test_a_result_to_another_binding(app: DaprApp) -> None:
    """Daprd sends the result on if it is JSON, in either order; of any other it makes null."""
    # The component decodes what looks like base64.
    expected = {b"[1]", base64.b64decode(b"null")}

    def results() -> set[bytes]:
        return {path.read_bytes() for path in app.files.iterdir()}

    await until(lambda: len(results() - {b""}) >= len(expected), "both results", timeout_s=15)

    assert results() - {b""} == expected


async def test_a_schedule_outlives_server_and_sidecar(
    functions: Path, cache_environment: dict[str, str], tmp_path: Path
) -> None:
    """An event that fires while the server restarts is lost, and the next one runs; so it is with the sidecar."""
    async with broker(tmp_path, has_policy=False) as running:
        component = json.loads((running.resources / "pubsub.yaml").read_text())
        redis_host = component["spec"]["metadata"][0]["value"]
        schedule = {"tick": components()["tick"]}
        await asyncio.to_thread(write_components, running.resources, redis_host, tmp_path, schedule)
        sidecar = Daprd(
            app_id=APP_ID,
            folder=tmp_path,
            app_port=free_port(),
            arguments=["--log-level=debug"],
            resources=running.resources,
        )
        env = {**cache_environment, **sidecar.app_environment}

        def is_event_lost() -> bool:
            log = sidecar.log_file.read_text()
            return (
                re.search(r"error from app consumer for binding \[tick\]: .*connection error", log)
                is not None
            )

        async def next_tick() -> None:
            await running.messages("ticks", await running.length("ticks") + 1)

        def server() -> AbstractAsyncContextManager[Server]:
            return serve(functions, "--only", "tick", port=sidecar.app_port or 0, env=env)

        async with AsyncExitStack() as life:
            async with sidecar:
                async with server():
                    await next_tick()
                await until(is_event_lost, "an event without a server")
                await life.enter_async_context(server())
                await next_tick()
            async with sidecar:
                await next_tick()
