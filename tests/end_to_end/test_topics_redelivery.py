"""Messages that come again: with the policy that the project ships, and what is lost without it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from end_to_end.topics import (
    TopicApp,
    publish,
    run_topics,
    texts_of,
    topic_sidecar,
    topic_trigger,
    write_topic_function,
)
from integration.processes import busy_worker, until, worker_pids
from rig import Broker, broker, serve

__all__ = ["app", "functions"]

pytestmark = pytest.mark.asyncio(loop_scope="module")

OUT = 'then = { publish = { pubsub = "pubsub", topic = "out" } }'
MESSAGES = 10


@pytest.fixture(scope="module")
def functions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One function, which takes a topic with a dead letter and one without."""
    folder = tmp_path_factory.mktemp("redelivery") / "functions"
    write_topic_function(
        folder,
        "act",
        topic_trigger("in", 'dead_letter = "dead"', OUT),
        topic_trigger("plain", OUT),
        sections='[limits]\ntimeout = "20s"\n[outcome]\nfailed = "retry"\n',
    )
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def app(
    engine: str, functions: Path, cache_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[TopicApp]:
    """Run an app on a broker with the shipped policy, for the tests of this module."""
    folder = tmp_path_factory.mktemp(engine)
    async with broker(folder, settings={"processingTimeout": "60s"}) as running:
        flags = ("--engine", engine, "--workers", "2")
        async with run_topics(functions, folder, running, *flags, env=cache_environment) as started:
            yield started


async def test_a_message_whose_worker_died_is_run_again(app: TopicApp) -> None:
    """A worker that is killed costs a message a second; then another worker takes it."""
    await app.publish("in", b"w-once")
    os.kill(await busy_worker(app.server.process.pid), signal.SIGKILL)
    await app.settled("in")

    assert "w-once" in await texts_of(app.broker, "out")
    assert len(await app.said("is to be retried: CRASHED")) == 1


async def test_a_message_that_kills_two_workers_is_dropped(app: TopicApp) -> None:
    """A message is not tried for ever on what it may have killed: its second worker is the last."""
    server = app.server.process.pid
    before = set(worker_pids(server))

    await app.publish("in", b"s-twice")
    os.kill(await busy_worker(server), signal.SIGKILL)
    # The worker that takes it next may be the one that is started now, which computes for less than a second.
    await until(lambda: bool(set(worker_pids(server)) - before), "a worker in its place")
    os.kill(await busy_worker(server, ticks=100), signal.SIGKILL)
    await app.settled("in")

    assert await texts_of(app.broker, "dead") == ["s-twice"]
    assert len(await app.said("is dropped: CRASHED")) == 1


async def test_a_failure_that_is_retried_comes_again(app: TopicApp) -> None:
    """With the policy a message that is to be retried stays out of the dead letter, and is delivered again."""
    await app.publish("in", b"fails")
    lines = app.server.process.stderr.lines
    await until(lambda: sum("is to be retried: EXITED" in line for line in lines) >= 2, "a second delivery")

    assert "fails" not in await texts_of(app.broker, "dead")


@pytest.mark.timeout(60)
async def test_nothing_is_lost_while_the_server_is_down(
    engine: str, functions: Path, cache_environment: dict[str, str], tmp_path: Path
) -> None:
    """With policy and health checks, what is published while a killed server is down is run once it is back."""
    async with broker(tmp_path) as running:
        texts = await publish_while_down(
            running, engine, functions, cache_environment, tmp_path, has_health_check=True
        )
        await running.settled("plain", "consumer", timeout_s=30)

        assert sorted(set(await texts_of(running, "out"))) == texts


@pytest.mark.timeout(60)
async def test_what_is_lost_without_policy_and_health_check(
    engine: str, functions: Path, cache_environment: dict[str, str], tmp_path: Path
) -> None:
    """Without either, daprd and Redis lose each message that comes while the server is down: docs/topics.md says so."""
    async with broker(tmp_path, has_policy=False) as running:
        await publish_while_down(
            running, engine, functions, cache_environment, tmp_path, has_health_check=False
        )
        await running.settled("plain", "consumer")

        assert await texts_of(running, "out") == []


@pytest.mark.timeout(60)
async def test_a_dead_letter_holds_what_came_while_the_server_was_down(
    engine: str, functions: Path, cache_environment: dict[str, str], tmp_path: Path
) -> None:
    """Without policy and health check, a dead letter is where each of those messages goes."""
    async with broker(tmp_path, has_policy=False) as running:
        texts = await publish_while_down(
            running, engine, functions, cache_environment, tmp_path, topic="in", has_health_check=False
        )

        assert sorted(await texts_of(running, "dead")) == texts


async def publish_while_down(
    running: Broker,
    engine: str,
    functions: Path,
    env: dict[str, str],
    folder: Path,
    *,
    topic: str = "plain",
    has_health_check: bool,
) -> list[str]:
    """Kill a server, publish, and start it again under the same sidecar; return what was published, sorted."""
    sidecar = topic_sidecar(folder, running, app_health_check=has_health_check)
    env = {**env, **sidecar.app_environment}
    flags = ("--engine", engine, "--workers", "1")
    texts = sorted(f"o-{number}" for number in range(MESSAGES))
    async with sidecar:
        async with serve(functions, *flags, port=sidecar.app_port or 0, env=env) as server:
            await sidecar.app_ready()
            await running.joined(topic, "consumer")
            server.process.signal(signal.SIGKILL)
            await server.process.wait(timeout_s=5)
        await asyncio.gather(*(publish(sidecar, topic, text.encode()) for text in texts))
        if not has_health_check:
            await running.settled(topic, "consumer")
        async with serve(functions, *flags, port=sidecar.app_port or 0, env=env):
            if has_health_check:
                await running.settled(topic, "consumer", timeout_s=30)
    return texts
