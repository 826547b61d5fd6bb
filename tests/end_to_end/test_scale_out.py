"""Two servers of one app id, each behind its own sidecar, share topics and invocations; one dies under load."""

from __future__ import annotations

import asyncio
import json
import signal
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from end_to_end.ended_messages import EndedMessages, follow
from end_to_end.topics import APP_ID, publish, topic_sidecar, topic_trigger, write_topic_function
from integration.processes import until
from rig import Broker, Daprd, Server, broker, serve

__all__ = []

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(90)]

TOPIC, RESULTS, DEAD_LETTERS = "messages", "results", "dead-letters"
MESSAGES = 800
AHEAD = 200
"""Messages that may wait in the broker, some of them taken by a sidecar."""
CALLERS = 2
NAME_LIVES_S = 6.0
"""How long a dead sidecar is still found by its name: NAMES_UPDATE_INTERVAL, in whole seconds."""
RETRIES = {
    "apiVersion": "dapr.io/v1alpha1",
    "kind": "Resiliency",
    "metadata": {"name": "caller"},
    "spec": {
        "policies": {"retries": {"elsewhere": {"policy": "constant", "duration": "200ms", "maxRetries": 50}}},
        "targets": {"apps": {APP_ID: {"retry": "elsewhere"}}},
    },
}
"""Of a caller: each try looks the name up anew."""


@dataclass(frozen=True)
class Pair:
    """A server and its sidecar."""

    server: Server
    sidecar: Daprd

    async def die(self) -> None:
        """Kill both at once."""
        both = self.sidecar.process, self.server.process
        for process in both:
            process.signal(signal.SIGKILL)
        for process in both:
            await process.wait(timeout_s=5)


@dataclass(frozen=True)
class Call:
    """One invocation: when it began, its status, and who answered or what daprd said."""

    begun_s: float
    status: int
    answer: str


@dataclass
class Callers:
    """Invocations through one sidecar, several at a time, until they are told to stop."""

    sidecar: Daprd
    calls: list[Call] = field(default_factory=list)
    is_over: bool = False

    async def run(self) -> None:
        """Call without a pause."""
        await asyncio.gather(*(self._caller() for _ in range(CALLERS)))

    def served_by(self, answer: str, *, since_s: float = 0.0) -> int:
        """Return how many calls that began since then were answered so."""
        return sum(call.answer == answer and call.begun_s >= since_s for call in self.calls)

    def failed(self) -> list[Call]:
        """Return the calls that failed."""
        return [call for call in self.calls if call.status != 200]

    async def _caller(self) -> None:
        loop = asyncio.get_running_loop()
        while not self.is_over:
            begun_s = loop.time()
            reply = await self.sidecar.invoke(APP_ID, "rest", b"hello")
            answer = (
                reply.headers["content-type"] if reply.status == 200 else json.loads(reply.body)["errorCode"]
            )
            self.calls.append(Call(begun_s, reply.status, answer))


@asynccontextmanager
async def pair(name: str, folder: Path, running: Broker, env: Mapping[str, str]) -> AsyncIterator[Pair]:
    """Run a server whose answers have the content type ``text/<name>``, behind a sidecar of its own."""
    functions = folder / name
    trigger = topic_trigger(
        TOPIC,
        f'dead_letter = "{DEAD_LETTERS}"',
        f'then = {{ publish = {{ pubsub = "pubsub", topic = "{RESULTS}" }} }}',
    )
    write_topic_function(
        functions,
        "rest",
        trigger,
        '[[trigger.invoke]]\nmethod = "rest"',
        guest="rest",
        sections=f'content_type = "text/{name}"',
    )
    sidecar = topic_sidecar(folder, running, instance=f"-{name}")
    environment = {**sidecar.app_environment, **env}
    async with sidecar, serve(functions, port=sidecar.app_port or 0, env=environment) as server:
        await sidecar.app_ready()
        yield Pair(server, sidecar)


def write_retries(folder: Path) -> Path:
    """Write the resources of a caller that tries again."""
    resources = folder / "caller-resources"
    resources.mkdir()
    (resources / "resiliency.yaml").write_text(json.dumps(RETRIES))
    return resources


async def publish_all(sidecar: Daprd, tally: EndedMessages) -> None:
    """Publish every message, some ahead of those that have ended."""
    for number in range(MESSAGES):
        await tally.until(number - AHEAD)
        await publish(sidecar, TOPIC, f"m{number}".encode())


async def makers(running: Broker) -> Counter[str]:
    """Return how many results each server has made, by their content type."""
    entries: Any = await running.client.xrange(RESULTS)
    return Counter(json.loads(fields[b"data"])["datacontenttype"] for _, fields in entries)


async def test_the_other_takes_over(cache_environment: dict[str, str], tmp_path: Path) -> None:
    """
    Both have a share; when one is killed with its sidecar, no message is lost and the other has all calls.

    While the dead sidecar's name lives, a call may still go to it: it fails, unless its caller tries again.
    """
    loop = asyncio.get_running_loop()
    async with (
        broker(tmp_path) as running,
        follow(running, results=RESULTS, dead_letters=DEAD_LETTERS) as tally,
        pair("one", tmp_path, running, cache_environment) as one,
        pair("two", tmp_path, running, cache_environment),
        Daprd(app_id="plain", folder=tmp_path, resources=running.resources) as plain_sidecar,
        Daprd(app_id="patient", folder=tmp_path, resources=write_retries(tmp_path)) as patient_sidecar,
    ):
        plain, patient = Callers(plain_sidecar), Callers(patient_sidecar)
        load = asyncio.gather(publish_all(plain_sidecar, tally), plain.run(), patient.run())
        await tally.until(MESSAGES // 2)
        await until(
            lambda: all(plain.served_by(f"text/{name}") > 0 for name in ("one", "two")), "both to answer"
        )
        shares = await makers(running)

        killed_s = loop.time()
        await one.die()
        await tally.until(MESSAGES)
        free_s = killed_s + NAME_LIVES_S
        for callers in (plain, patient):
            await until(
                lambda callers=callers: callers.served_by("text/two", since_s=free_s) >= 50,  # type: ignore[misc]
                "50 answers after the name has lapsed",
                timeout_s=30,
            )
            callers.is_over = True
        await load

    assert min(shares["text/one"], shares["text/two"]) >= MESSAGES // 20
    assert tally.ended == {f"m{number}" for number in range(MESSAGES)}
    assert tally.dropped == Counter()
    assert plain.failed() != []
    assert patient.failed() == []
    assert {(call.status, call.answer) for call in plain.failed()} <= {(500, "ERR_DIRECT_INVOKE")}
    assert [call for call in plain.failed() if call.begun_s >= free_s] == []
