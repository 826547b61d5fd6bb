"""What runs by itself outlives restarts: a schedule whose results are state, and a job that only a manifest schedules."""

from __future__ import annotations

import asyncio
import json
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path

import pytest

from end_to_end.dapr_app import PUBSUB, STATE, write_components
from end_to_end.jobs import jobs_of, open_rig, write_job_function
from integration.guests import write_function
from rig import Broker, Server, serve

__all__ = []

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]

TICK = f"""
[[trigger.binding]]
name = "tick"
then = {{ state = {{ store = "{STATE}", key = "{{name}}" }} }}
"""
NIGHTLY = f"""
name = "nightly"
schedule = "@every 1s"
data = "night"
then = {{ publish = {{ pubsub = "{PUBSUB}", topic = "nights" }} }}
"""
LOOK_AGAIN_S = 0.02


async def both_run(broker: Broker) -> None:
    """Wait until the schedule has saved a result since now, and the job has published one."""
    key = f"{STATE}||tick"
    await broker.client.delete(key)
    await broker.messages("nights", await broker.length("nights") + 1)
    while not await broker.client.exists(key):
        await asyncio.sleep(LOOK_AGAIN_S)


async def test_restarts(cache_environment: dict[str, str], tmp_path: Path) -> None:
    """Both run on after a restart of the server, of the sidecar, and of both; no start schedules the job anew."""
    functions = tmp_path / "functions"
    write_function(functions, "tick", guest="deaf", trigger=TICK)
    write_job_function(functions, "nightly", NIGHTLY)

    async with open_rig(tmp_path, cache_environment) as rig, AsyncExitStack() as life:
        component = json.loads((rig.broker.resources / "pubsub.yaml").read_text())
        redis_host = component["spec"]["metadata"][0]["value"]
        cron = {"tick": ("bindings.cron", {"schedule": "@every 1s", "direction": "input"})}
        await asyncio.to_thread(write_components, rig.broker.resources, redis_host, tmp_path, cron)
        sidecar = rig.sidecar()
        env = {**rig.env, **sidecar.app_environment}

        def server() -> AbstractAsyncContextManager[Server]:
            return serve(functions, port=sidecar.app_port or 0, env=env)

        async with sidecar:
            async with server():
                await both_run(rig.broker)
                scheduled = await jobs_of(sidecar)
            second = await life.enter_async_context(server())
            await both_run(rig.broker)
        async with sidecar:
            await both_run(rig.broker)
            await life.aclose()
        async with sidecar, server() as third:
            await both_run(rig.broker)

            assert await jobs_of(sidecar) == scheduled
            lines = [*second.process.stderr.lines, *third.process.stderr.lines]
            assert not [line for line in lines if "is scheduled" in line]
