"""An app whose functions take topics' messages: our server and its sidecar, on one broker."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from integration.guests import write_function
from rig import PUBSUB, Broker, Daprd, Server, free_port, serve

__all__ = [
    "APP_ID",
    "TopicApp",
    "declare",
    "publish",
    "run_topics",
    "texts_of",
    "topic_sidecar",
    "topic_trigger",
    "write_topic_function",
]

APP_ID = "consumer"
_LOG_TIMEOUT_S = 5.0


def topic_trigger(topic: str, *more: str) -> str:
    """Return the manifest's table of a topic, with more lines of it."""
    return "\n".join(["[[trigger.topic]]", f'pubsub = "{PUBSUB}"', f'topic = "{topic}"', *more, ""])


def write_topic_function(
    folder: Path, name: str, *triggers: str, guest: str = "act", sections: str = ""
) -> Path:
    """Write a function that topics call: the guest of that name, with further sections of its manifest."""
    return write_function(folder, name, guest=guest, sections=sections, trigger="\n".join(triggers))


async def publish(
    sidecar: Daprd, topic: str, data: bytes, content_type: str = "text/plain", *, is_raw: bool = False
) -> None:
    """Publish a message by HTTP, as a CloudEvent or bare."""
    query = "?metadata.rawPayload=true" if is_raw else ""
    reply = await sidecar.request(
        "POST", f"/v1.0/publish/{PUBSUB}/{topic}{query}", data, headers={"content-type": content_type}
    )
    assert reply.status == 204, reply


async def texts_of(broker: Broker, topic: str) -> list[str]:
    """Return the texts of all messages that a topic has had, in whatever member of the event they stand."""
    events = await broker.events(topic, await broker.length(topic))
    return [
        base64.b64decode(event["data_base64"]).decode() if "data_base64" in event else event["data"]
        for event in events
    ]


@dataclass(frozen=True, kw_only=True)
class TopicApp:
    """A server behind its sidecar, on a broker."""

    server: Server
    sidecar: Daprd
    broker: Broker

    async def publish(
        self, topic: str, data: bytes, content_type: str = "text/plain", *, is_raw: bool = False
    ) -> None:
        """Publish a message through the app's own sidecar."""
        await publish(self.sidecar, topic, data, content_type, is_raw=is_raw)

    async def settled(self, topic: str) -> None:
        """Wait until every message of a topic has been taken and acknowledged."""
        await self.broker.settled(topic, APP_ID)

    async def said(self, what: str) -> list[str]:
        """Return what the server has logged that holds `what`, once it is there: lines are written a little later."""
        stderr = self.server.process.stderr
        await asyncio.wait_for(stderr.match(re.escape(what)), _LOG_TIMEOUT_S)
        return [line for line in stderr.lines if what in line]


@asynccontextmanager
async def run_topics(
    functions: Path, folder: Path, broker: Broker, *flags: str, env: Mapping[str, str]
) -> AsyncIterator[TopicApp]:
    """Run a server and its sidecar, with health checks; `flags` and `env` are for `wasm-grpc serve`."""
    sidecar = topic_sidecar(folder, broker)
    async with (
        sidecar,
        serve(
            functions, *flags, port=sidecar.app_port or 0, env={**sidecar.app_environment, **env}
        ) as server,
    ):
        await sidecar.app_ready()
        yield TopicApp(server=server, sidecar=sidecar, broker=broker)


def topic_sidecar(
    folder: Path, broker: Broker, *, app_health_check: bool = True, instance: str = ""
) -> Daprd:
    """Return the sidecar of an app of topics, not started yet."""
    return Daprd(
        app_id=APP_ID,
        folder=folder,
        instance=instance,
        app_port=free_port(),
        app_token="the app's token",  # noqa: S106 - of a test
        api_token="the sidecar's token",  # noqa: S106 - of a test
        app_health_check=app_health_check,
        arguments=["--app-health-probe-interval=1"],
        resources=broker.resources,
    )


def declare(broker: Broker, topic: str, *, path: str, dead_letter: str = "") -> None:
    """Write a declarative subscription into the broker's resources, before its sidecar starts."""
    spec = {"pubsubname": PUBSUB, "topic": topic, "routes": {"default": path}}
    resource = {
        "apiVersion": "dapr.io/v2alpha1",
        "kind": "Subscription",
        "metadata": {"name": topic},
        "spec": spec | ({"deadLetterTopic": dead_letter} if dead_letter else {}),
    }
    (broker.resources / f"{topic}.yaml").write_text(json.dumps(resource))
