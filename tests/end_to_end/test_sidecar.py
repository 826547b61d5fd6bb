"""What daprd makes of an app that has no subscription, whose workers are busy, or whose server goes and comes."""

from __future__ import annotations

import asyncio
import json
import signal
from collections import Counter
from pathlib import Path

import pytest

from end_to_end.app import APP_ID, run_app
from end_to_end.failures import Failure, failure_of
from integration.processes import until
from rig import Daprd, Reply, free_port, serve

__all__ = []

pytestmark = pytest.mark.asyncio

HEALTHY = "App entered healthy status"
UNHEALTHY = "App entered un-healthy status"
PROBE_EACH_SECOND = (  # one that is missed shows in the log
    "--app-health-probe-interval=1",
    "--app-health-probe-timeout=900",
    "--app-health-threshold=1",
)
RETURN_TIMEOUT_S = 10.0


async def test_an_app_without_subscriptions(
    functions: Path, cache_environment: dict[str, str], tmp_path: Path
) -> None:
    """With a message broker there, daprd asks what we subscribe to, hears nothing, and has no complaint."""
    broker = {
        "apiVersion": "dapr.io/v1alpha1",
        "kind": "Component",
        "metadata": {"name": "broker"},
        "spec": {"type": "pubsub.in-memory", "version": "v1", "metadata": []},
    }
    resources = tmp_path / "resources"
    resources.mkdir()
    (resources / "broker.yaml").write_text(json.dumps(broker))
    sidecar = Daprd(
        app_id=APP_ID,
        folder=tmp_path,
        app_port=free_port(),
        resources=resources,
        arguments=["--log-level=debug"],
    )

    env = {**cache_environment, **sidecar.app_environment}
    async with serve(functions, port=sidecar.app_port or 0, env=env), sidecar:
        await sidecar.app_ready()
        published = await sidecar.request("POST", "/v1.0/publish/broker/topic", b"message")
        log = sidecar.log_file.read_text()

    assert published.status == 204
    assert "user app did not subscribe to any topic" in log
    assert "level=error" not in log


async def test_busy_workers_leave_the_app_healthy(
    engine: str, functions: Path, cache_environment: dict[str, str], tmp_path: Path
) -> None:
    """While every worker computes, each health probe is answered in time and no call is kept from us."""
    sidecar = Daprd(
        app_id=APP_ID,
        folder=tmp_path,
        app_port=free_port(),
        app_token="the app's token",  # noqa: S106 - of a test
        app_health_check=True,
        arguments=PROBE_EACH_SECOND,
    )
    flags = ["--engine", engine, "--workers", "2", "--max-workers", "3"]
    env = {**cache_environment, **sidecar.app_environment}

    async def caller() -> list[Failure]:
        return [failure_of(await sidecar.invoke(APP_ID, "spin")) for _ in range(4)]

    async with serve(functions, *flags, port=sidecar.app_port or 0, env=env), sidecar:
        await until(lambda: HEALTHY in sidecar.log_file.read_text(), "daprd to find the app healthy")
        failures = await asyncio.gather(
            *(caller() for _ in range(4))
        )  # 16 x 0.3 s on two: two probes or more
        log = sidecar.log_file.read_text()

    assert Counter(failure.reason for each in failures for failure in each) == {"TIMEOUT": 16}
    assert (log.count(HEALTHY), log.count(UNHEALTHY)) == (1, 0)


async def test_a_running_call_outlasts_sigterm(
    engine: str, functions: Path, cache_environment: dict[str, str], tmp_path: Path
) -> None:
    """A server that is asked to end finishes the call that runs, and ends well; then the sidecar says so."""
    async with run_app(functions, tmp_path, "--engine", engine, env=cache_environment) as app:
        calls = [asyncio.ensure_future(app.invoke("nap")) for _ in range(2)]
        refused, (running,) = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        assert [failure_of(call.result()).reason for call in refused] == ["QUEUE_FULL"]  # so the other runs

        app.server.process.signal(signal.SIGTERM)
        reply = await running
        code = await app.server.process.wait(timeout_s=5)
        gone = await app.invoke("echo", b"body")

    assert (reply.status, reply.body, code) == (200, b"rested", 0)
    assert gone.status in {500, 503}


async def test_a_server_comes_back(
    functions: Path, cache_environment: dict[str, str], tmp_path: Path
) -> None:
    """The sidecar stays, and calls are served again by the server that takes the old one's place."""
    sidecar = Daprd(app_id=APP_ID, folder=tmp_path, app_port=free_port())
    port = sidecar.app_port or 0

    async with sidecar:
        async with serve(functions, port=port, env=cache_environment):
            await sidecar.app_ready()
            before = await sidecar.invoke(APP_ID, "echo", b"before")
        between = await sidecar.invoke(APP_ID, "echo", b"between")
        async with serve(functions, port=port, env=cache_environment):
            after = await answered(sidecar, b"after")

    assert (before.body, after.body) == (b"before", b"after")
    assert between.status in {500, 503}


async def answered(sidecar: Daprd, body: bytes) -> Reply:
    """Call until the sidecar has its app again: it dials at intervals of its own, and tells nobody."""
    loop = asyncio.get_running_loop()
    end_s = loop.time() + RETURN_TIMEOUT_S
    while (reply := await sidecar.invoke(APP_ID, "echo", body)).status != 200:
        assert loop.time() < end_s, f"after {RETURN_TIMEOUT_S:g} s: {reply.status} {reply.body!r}"
        await asyncio.sleep(0.05)
    return reply
