"""A message broker: Redis, the pub/sub component that names it, and a look into its topics past the sidecar."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from rig.redis import redis

__all__ = ["PUBSUB", "Broker", "broker"]

PUBSUB = "pubsub"
SHIPPED_POLICY = Path(__file__).resolve().parents[2] / "deploy" / "dapr" / "resiliency.yaml"
LOOK_AGAIN_S = 0.02
READ_TIMEOUT_S = 20.0


@dataclass(frozen=True)
class Broker:
    """A running broker; a topic is a stream of Redis, and each app a group that reads it."""

    resources: Path  # the folder that a sidecar is given
    client: Redis

    async def messages(self, topic: str, count: int, *, timeout_s: float = READ_TIMEOUT_S) -> list[bytes]:
        """Wait until a topic has had so many messages, and return the bodies of all."""
        loop = asyncio.get_running_loop()
        end_s = loop.time() + timeout_s
        bodies: list[bytes] = []
        last = b"0"
        while len(bodies) < count:
            left_ms = round((end_s - loop.time()) * 1000)
            assert left_ms > 0, f"{topic}: {len(bodies)} messages after {timeout_s:g} s; expected {count}"
            answer: Any = await self.client.xread({topic: last}, block=left_ms)
            for _, entries in answer:
                bodies += [fields[b"data"] for _, fields in entries]
                last = entries[-1][0]
        return bodies

    async def events(self, topic: str, count: int) -> list[dict[str, Any]]:
        """Wait until a topic has had so many messages, and return them all, read as CloudEvents."""
        return [json.loads(body) for body in await self.messages(topic, count)]

    async def settled(self, topic: str, app_id: str, *, timeout_s: float = READ_TIMEOUT_S) -> None:
        """Wait until an app's sidecar has taken every message of a topic, and acknowledged it."""
        loop = asyncio.get_running_loop()
        end_s = loop.time() + timeout_s
        state: Mapping[str, Any] = {}
        while state.get("lag") != 0 or state.get("pending") != 0:
            assert loop.time() < end_s, f"{topic}: {state} after {timeout_s:g} s; expected nothing pending"
            await asyncio.sleep(LOOK_AGAIN_S)
            state = await self._group(topic, app_id)

    async def joined(self, topic: str, app_id: str, *, timeout_s: float = READ_TIMEOUT_S) -> None:
        """Wait until an app's sidecar reads a topic."""
        loop = asyncio.get_running_loop()
        end_s = loop.time() + timeout_s
        while not await self._group(topic, app_id):
            assert loop.time() < end_s, f"{topic}: {app_id} doesn't read it after {timeout_s:g} s"
            await asyncio.sleep(LOOK_AGAIN_S)

    async def length(self, topic: str) -> int:
        """Return how many messages a topic has had."""
        return int(await self.client.xlen(topic))

    async def _group(self, topic: str, app_id: str) -> Mapping[str, Any]:
        try:
            groups: Any = await self.client.xinfo_groups(topic)
        except ResponseError:  # the topic isn't there yet
            return {}
        return next((group for group in groups if group["name"] == app_id.encode()), {})


@asynccontextmanager
async def broker(
    folder: Path, *, has_policy: bool = True, settings: Mapping[str, str] | None = None
) -> AsyncIterator[Broker]:
    """
    Run a broker as long as the context lasts.

    `has_policy` puts the resiliency policy that the project ships beside the component; `settings` are the
    component's. It hands out a message again that was neither taken nor refused for three seconds.
    """
    async with redis(folder) as address:
        host, _, port = address.partition(":")
        resources = folder / "resources"
        resources.mkdir()
        metadata = {
            "redisHost": address,
            "redisPassword": "",
            "redeliverInterval": "1s",
            "processingTimeout": "3s",
            **(settings or {}),
        }
        component = {
            "apiVersion": "dapr.io/v1alpha1",
            "kind": "Component",
            "metadata": {"name": PUBSUB},
            "spec": {
                "type": "pubsub.redis",
                "version": "v1",
                "metadata": [{"name": name, "value": value} for name, value in metadata.items()],
            },
        }
        (resources / "pubsub.yaml").write_text(json.dumps(component))
        if has_policy:
            shutil.copy(SHIPPED_POLICY, resources)
        async with Redis(host=host, port=int(port)) as client:
            yield Broker(resources, client)
