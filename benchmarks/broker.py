"""Redis as a message broker, and the sidecars that deliver from it: all alike, one an app."""

from __future__ import annotations

import contextlib
import json
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from benchmarks.processes import ROOT, ProgramError, program
from benchmarks.sidecar import Sidecar, find_benchmark_daprd, open_sidecar
from wasm_grpc.demo.children import free_ports
from wasm_grpc.demo.daprd import write_configuration

__all__ = ["PUBSUB", "STATE", "Broker", "Tools", "find_tools", "open_broker"]

PUBSUB = "pubsub"
STATE = "statestore"

_REDIS = ROOT / "scripts" / "redis"
_HOST = "127.0.0.1"
_START_S = 15.0
_DRAIN_S = 60.0
_POLL_S = 0.002
_CONCURRENCY = 100
"""Messages that daprd hands on at a time: with Redis a batch is never larger."""


@dataclass(frozen=True, slots=True)
class Tools:
    """
    Programs that are not part of this project.

    Attributes:
        daprd: Path of the sidecar. Redis needs none: `scripts/redis` finds it.
    """

    daprd: str


@dataclass(frozen=True, slots=True)
class Broker:
    """
    A running Redis.

    Attributes:
        pid: Its process.
    """

    pid: int
    _client: Redis
    _tools: Tools
    _folder: Path

    @contextlib.contextmanager
    def sidecar(self, app_id: str, address: str) -> Iterator[Sidecar]:
        """
        Run the sidecar of an app, which serves at `address`; "" without one.
        """
        flags = {
            "config": self._folder / "configuration.yaml",
            "resources-path": self._folder / "resources",
        }
        with open_sidecar(self._tools.daprd, app_id, address, folder=self._folder, flags=flags) as sidecar:
            yield sidecar

    def deliver(self, topic: str, app_id: str, messages: Sequence[bytes]) -> float:
        """
        Publish messages and wait until the app has taken each; gives the seconds from the first to the last.

        Raises:
            ProgramError: It hasn't within a minute.
        """
        pipeline = self._client.pipeline(transaction=False)
        for message in messages:
            pipeline.xadd(topic, {"data": message})
        begin = time.perf_counter()
        pipeline.execute()
        while not self._is_drained(topic, app_id):
            if time.perf_counter() - begin > _DRAIN_S:
                log = (self._folder / f"{app_id}.log").read_text("utf-8", "replace").splitlines()
                raise ProgramError(f"{topic}: not taken within {_DRAIN_S:g} s: {' '.join(log[-1:])}")
            time.sleep(_POLL_S)
        return time.perf_counter() - begin

    def _is_drained(self, topic: str, app_id: str) -> bool:
        try:
            groups: Any = self._client.xinfo_groups(topic)
        except ResponseError:  # the topic isn't there yet
            return False
        state: dict[str, Any] = next((group for group in groups if group["name"] == app_id.encode()), {})
        return state.get("lag") == 0 and state.get("pending") == 0


def find_tools() -> Tools | str:
    """
    Return the programs, or a line that says what is missing.
    """
    found = subprocess.run([_REDIS], capture_output=True, text=True, check=False)
    if found.returncode:
        return found.stderr.strip()
    daprd = find_benchmark_daprd()
    return Tools(daprd=daprd) if daprd else "no daprd; expected one that tests/daprd/build has made"


@contextlib.contextmanager
def open_broker(tools: Tools) -> Iterator[Broker]:
    """
    Run Redis, in memory, until the end.

    Raises:
        ProgramError: It doesn't answer.
    """
    (port,) = free_ports(1)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        write_configuration(folder)
        _write_components(folder / "resources", f"{_HOST}:{port}")
        log = stack.enter_context((folder / "redis.log").open("wb"))
        process = stack.enter_context(program([str(_REDIS), str(port), str(folder)], stdout=log))
        client = stack.enter_context(Redis(host=_HOST, port=port))
        _wait(client)
        yield Broker(process.pid, client, tools, folder)


def _write_components(folder: Path, address: str) -> None:
    redis = {"redisHost": address, "redisPassword": ""}
    concurrency = {"concurrency": str(_CONCURRENCY), "queueDepth": str(2 * _CONCURRENCY)}
    folder.mkdir()
    for name, kind, metadata in (
        (PUBSUB, "pubsub.redis", redis | concurrency),
        (STATE, "state.redis", redis),
    ):
        component = {
            "apiVersion": "dapr.io/v1alpha1",
            "kind": "Component",
            "metadata": {"name": name},
            "spec": {
                "type": kind,
                "version": "v1",
                "metadata": [{"name": key, "value": value} for key, value in metadata.items()],
            },
        }
        (folder / f"{name}.yaml").write_text(json.dumps(component))


def _wait(client: Redis) -> None:
    until = time.perf_counter() + _START_S
    while True:
        try:
            client.ping()
        except RedisConnectionError as exc:
            if time.perf_counter() > until:
                raise ProgramError(f"redis-server: no answer within {_START_S:g} s") from exc
            time.sleep(_POLL_S)
        else:
            return
