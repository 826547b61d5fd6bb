"""How fast topics' messages are taken: one by one, in batches, and by an app of Dapr's SDK."""

from __future__ import annotations

import contextlib
import json
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.broker import PUBSUB, Broker, Tools, open_broker
from benchmarks.cases import our_subject
from benchmarks.machine import cpu_time
from benchmarks.processes import ROOT, serving

__all__ = ["BARE", "BATCHES", "SDK", "SINGLE", "TopicResult", "Topics", "measure_topics"]

SINGLE, BATCHES = "single", "batches of 100"
"""How our server takes messages."""
SDK, BARE = "Dapr SDK's App, idle", "bare grpc.aio, idle"
"""Apps that take them one by one and do nothing: what there is, and the least that ours could cost."""

_BYTES = 64
_WARM_UP = 300
_MANIFEST = """
name = "{name}"
module = "echo.wasm"
guest = "wasi-command"
[limits]
memory = "1MiB"
queue_wait = "60s"
[pool]
queue = 200
[[trigger.topic]]
pubsub = "{pubsub}"
topic = "{name}"
"""
_BULK = 'bulk = { max_messages = 100, max_await = "50ms" }\n'


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicResult:
    """
    One way to take messages, over all rounds.

    Attributes:
        rate: Messages a second, the median.
        slowest: The slowest round.
        fastest: The fastest round.
        cost_us: CPU time a message, in microseconds, by who used it.
    """

    rate: float
    slowest: float
    fastest: float
    cost_us: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Topics:
    """
    What was found with one engine.

    Attributes:
        results: By how messages are taken.
        batch_ratio: Of batches' rate to single delivery's: the median of the rounds' ratios.
        sdk_ratio: Of single delivery's rate to that of the SDK's app.
    """

    results: Mapping[str, TopicResult]
    batch_ratio: float
    sdk_ratio: float


@dataclass(frozen=True, slots=True)
class _App:
    """
    An app behind its sidecar.
    """

    app_id: str
    server_pid: int
    sidecar_pid: int


@dataclass(frozen=True, slots=True)
class _Way:
    """
    A topic that one app takes in one way.
    """

    topic: str
    app: _App


@dataclass(frozen=True, slots=True)
class _Round:
    rate: float
    cost_s: Mapping[str, float]


def measure_topics(
    tools: Tools,
    engines: Sequence[str],
    *,
    messages: int,
    rounds: int,
    env: Mapping[str, str],
    tell: Callable[[str], None],
) -> dict[str, Topics]:
    """
    Deliver so many messages to each app, in rounds; one app is at work at a time.

    Args:
        tools: Redis and daprd.
        engines: Ours.
        messages: In each round, to each app.
        rounds: How often.
        env: Says where the cache is.
        tell: Told of each round as it begins.

    Raises:
        ProgramError: A program failed.
    """
    found = {}
    with open_broker(tools) as broker, _functions() as functions:
        for engine in engines:
            command = list(our_subject(engine).command)
            command[command.index("functions")] = str(functions)
            sdk = (sys.executable, "-m", "benchmarks.apps.topic_dapr", PUBSUB, "sdk")
            bare = (sys.executable, "-m", "benchmarks.apps.topic_aio", PUBSUB, "bare")
            with (
                _running(broker, f"{engine}-ours", command, env) as ours,
                _running(broker, f"{engine}-sdk", sdk, env) as theirs,
                _running(broker, f"{engine}-bare", bare, env) as least,
            ):
                ways = {
                    SINGLE: _Way("single", ours),
                    BATCHES: _Way("batches", ours),
                    SDK: _Way("sdk", theirs),
                    BARE: _Way("bare", least),
                }
                found[engine] = _measure(broker, ways, messages, rounds, tell)
    return found


@contextlib.contextmanager
def _functions() -> Iterator[Path]:
    """
    Return a folder with a function for each of our topics; it gives back what it gets.
    """
    with tempfile.TemporaryDirectory() as folder:
        for name, more in (("single", ""), ("batches", _BULK)):
            place = Path(folder, name)
            place.mkdir()
            shutil.copy(ROOT / "functions" / "echo" / "echo.wasm", place)
            (place / "function.toml").write_text(_MANIFEST.format(name=name, pubsub=PUBSUB) + more)
        yield Path(folder)


@contextlib.contextmanager
def _running(broker: Broker, app_id: str, command: Sequence[str], env: Mapping[str, str]) -> Iterator[_App]:
    with serving(command, env=env) as server, broker.sidecar(app_id, server.address) as sidecar:
        yield _App(app_id, server.pid, sidecar.pid)


def _measure(
    broker: Broker, ways: Mapping[str, _Way], messages: int, rounds: int, tell: Callable[[str], None]
) -> Topics:
    for way in ways.values():
        broker.deliver(way.topic, way.app.app_id, _events(way.topic, _WARM_UP))
    taken: dict[str, list[_Round]] = {name: [] for name in ways}
    for number in range(rounds):
        tell(f"topics, round {number + 1} of {rounds}")
        for name, way in ways.items():
            taken[name].append(_round(broker, way, messages))
    return Topics(
        results={name: _result(each, messages) for name, each in taken.items()},
        batch_ratio=_ratio(taken[BATCHES], taken[SINGLE]),
        sdk_ratio=_ratio(taken[SINGLE], taken[SDK]),
    )


def _round(broker: Broker, way: _Way, messages: int) -> _Round:
    pids = {"server": way.app.server_pid, "daprd": way.app.sidecar_pid, "redis": broker.pid}
    before = {name: cpu_time(pid) for name, pid in pids.items()}
    seconds = broker.deliver(way.topic, way.app.app_id, _events(way.topic, messages))
    used = {name: cpu_time(pid).since(before[name]) for name, pid in pids.items()}
    cost_s = {name: each.own_s for name, each in used.items()}
    return _Round(rate=messages / seconds, cost_s={**cost_s, "workers": used["server"].children_s})


def _events(topic: str, count: int) -> list[bytes]:
    """
    Return CloudEvents as daprd publishes them.
    """
    event = {
        "specversion": "1.0",
        "source": "benchmark",
        "type": "com.dapr.event.sent",
        "datacontenttype": "text/plain",
        "data": "x" * _BYTES,
        "pubsubname": PUBSUB,
        "topic": topic,
    }
    return [json.dumps({**event, "id": f"{number}"}).encode() for number in range(count)]


def _result(rounds: Sequence[_Round], messages: int) -> TopicResult:
    rates = [each.rate for each in rounds]
    total = messages * len(rounds)
    return TopicResult(
        rate=statistics.median(rates),
        slowest=min(rates),
        fastest=max(rates),
        cost_us={name: sum(each.cost_s[name] for each in rounds) / total * 1e6 for name in rounds[0].cost_s},
    )


def _ratio(ours: Sequence[_Round], baseline: Sequence[_Round]) -> float:
    return statistics.median(a.rate / b.rate for a, b in zip(ours, baseline, strict=True))
