"""What becomes of a message: each end of a function as daprd and Redis see it, without a policy of retries."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from end_to_end.topics import TopicApp, declare, run_topics, texts_of, topic_trigger, write_topic_function
from rig import broker

__all__ = ["app"]

pytestmark = pytest.mark.asyncio(loop_scope="module")

OUTCOMES = ("rejected", "failed", "timeout", "overloaded", "then_failed")
LIMITS = '[limits]\ntimeout = "300ms"\n'
NOWHERE = 'then = { publish = { pubsub = "nowhere", topic = "t" } }'


def outcomes(verdict: str) -> str:
    """Return the table that gives every failure one meaning."""
    return "[outcome]\n" + "".join(f'{outcome} = "{verdict}"\n' for outcome in OUTCOMES)


def to(topic: str) -> str:
    """Return the line that publishes results to a topic."""
    return f'then = {{ publish = {{ pubsub = "pubsub", topic = "{topic}" }} }}'


@pytest.fixture(scope="module")
def functions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Functions that take the topics of this module's tests; a topic's name says what is tested with it."""
    folder = tmp_path_factory.mktemp("topics") / "functions"
    for verdict in ("retry", "drop"):
        write_topic_function(
            folder,
            verdict,
            topic_trigger(verdict, f'dead_letter = "{verdict}-dead"', to(f"{verdict}-out")),
            topic_trigger(f"{verdict}-lost", to(f"{verdict}-out")),
            sections=outcomes(verdict) + LIMITS,
        )
        write_topic_function(
            folder,
            f"{verdict}-then",
            topic_trigger(f"{verdict}-then", f'dead_letter = "{verdict}-dead"', NOWHERE),
            sections=outcomes(verdict),
        )
        write_topic_function(
            folder,
            f"{verdict}-one",
            topic_trigger(f"{verdict}-one", f'dead_letter = "{verdict}-dead"', to(f"{verdict}-out")),
            sections=outcomes(verdict) + "[pool]\nmax = 1\nqueue = 0\n",
        )
    write_topic_function(folder, "echo", topic_trigger("payloads", 'dead_letter = "emptied"', to("echoes")))
    write_topic_function(
        folder, "raw", topic_trigger("raw", 'metadata = { rawPayload = "true" }', to("raws"))
    )
    write_topic_function(
        folder, "environment", topic_trigger("attributes", to("environments")), guest="environment"
    )
    for name, event_type in (("created", "order.created"), ("deleted", "order.deleted")):
        rule = f"match = 'event.type == \"{event_type}\"'"
        more = ('dead_letter = "unrouted"',) if name == "created" else ()
        write_topic_function(folder, name, topic_trigger("orders", rule, to(name), *more))
    bulk = "bulk = { max_messages = 8, max_await = '200ms' }"
    write_topic_function(
        folder,
        "bulk",
        topic_trigger("bulk", bulk, 'dead_letter = "bulk-dead"', to("bulk-out")),
        topic_trigger("bulk-bytes", bulk, 'dead_letter = "bulk-emptied"'),
        topic_trigger("bulk-raw", bulk, 'metadata = { rawPayload = "true" }', to("bulk-raws")),
        topic_trigger(
            "bulk-rule", bulk, "match = 'event.data == \"wanted\"'", 'dead_letter = "unwanted"', to("wanted")
        ),
    )
    write_topic_function(folder, "declared", topic_trigger("declared", to("declared-out")))
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def app(
    engine: str, functions: Path, cache_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[TopicApp]:
    """Run an app on a broker without a policy of retries, for the tests of this module."""
    folder = tmp_path_factory.mktemp(engine)
    async with broker(folder, has_policy=False) as running:
        declare(running, "declared", path="/elsewhere")
        declare(running, "strangers", path="/anywhere", dead_letter="strangers-dead")
        flags = ("--engine", engine, "--workers", "2")
        async with run_topics(functions, folder, running, *flags, env=cache_environment) as started:
            yield started


@dataclass(frozen=True, kw_only=True)
class Failing:
    """A message that fails, and the reason that is logged."""

    begins: bytes
    reason: str
    topic: str = ""  # what follows the verdict in its name


FAILING = {
    "rejected": Failing(begins=b"r", reason="REJECTED"),
    "exit code": Failing(begins=b"f", reason="EXITED"),
    "trap": Failing(begins=b"t", reason="TRAPPED"),
    "timeout": Failing(begins=b"s", reason="TIMEOUT"),
    "result not published": Failing(begins=b"o", reason="THEN_FAILED", topic="-then"),
}


async def test_a_message_is_taken_once(app: TopicApp) -> None:
    """What a function takes is acknowledged, delivered no second time, and in no dead letter."""
    await app.publish("retry", b"one")
    await app.settled("retry")

    assert (await texts_of(app.broker, "retry-out")).count("one") == 1
    assert "one" not in await texts_of(app.broker, "retry-dead")


@pytest.mark.parametrize("verdict", ["retry", "drop"])
@pytest.mark.parametrize("case", FAILING.values(), ids=FAILING)
async def test_a_failed_message_is_a_dead_letter(app: TopicApp, verdict: str, case: Failing) -> None:
    """Dropped, or without a policy to be retried: the dead letter has it, as it was published."""
    text = f"{case.begins.decode()}-{verdict}-{case.reason}"
    topic = f"{verdict}{case.topic}"

    await app.publish(topic, text.encode())
    await app.settled(topic)

    assert text in await texts_of(app.broker, f"{verdict}-dead")
    assert text not in await texts_of(app.broker, f"{verdict}-out")
    end = "dropped" if verdict == "drop" else "to be retried"
    assert await app.said(f"of pubsub/{topic} ")
    assert await app.said(f" is {end}: {case.reason}: ")


@pytest.mark.parametrize("verdict", ["retry", "drop"])
async def test_a_failed_message_without_a_dead_letter_is_gone(app: TopicApp, verdict: str) -> None:
    """Without a policy and a dead letter Redis forgets a message that is to be retried, as one that is dropped."""
    await app.publish(f"{verdict}-lost", b"rejected")
    await app.settled(f"{verdict}-lost")

    assert "rejected" not in await texts_of(app.broker, f"{verdict}-out")
    assert len(await app.said(f"of pubsub/{verdict}-lost ")) == 1


@pytest.mark.parametrize("verdict", ["retry", "drop"])
async def test_a_full_queue_is_an_outcome_too(app: TopicApp, verdict: str) -> None:
    """Of two messages at once for a function that takes one, the other is overload."""
    topic = f"{verdict}-one"
    texts = [f"w-{verdict}-{number}" for number in range(2)]

    for text in texts:
        await app.publish(topic, text.encode())
    await app.settled(topic)

    taken = [text for text in texts if text in await texts_of(app.broker, f"{verdict}-out")]
    dead = [text for text in texts if text in await texts_of(app.broker, f"{verdict}-dead")]
    assert sorted(taken + dead) == texts
    assert (len(taken), len(dead)) == (1, 1)
    assert await app.said("QUEUE_FULL")


async def test_a_topic_that_no_function_takes(app: TopicApp) -> None:
    """A declarative subscription to a topic of no function loses nothing: it is to be retried."""
    await app.publish("strangers", b"lost?")
    await app.settled("strangers")

    assert await texts_of(app.broker, "strangers-dead") == ["lost?"]
    assert await app.said("of pubsub/strangers is to be retried: no function receives it (path '/anywhere')")


async def test_a_path_that_is_not_ours(app: TopicApp) -> None:
    """Under a declarative subscription's path a known topic's default takes the message."""
    await app.publish("declared", b"by another path")
    await app.settled("declared")

    assert "by another path" in await texts_of(app.broker, "declared-out")


async def test_rules_choose_the_function(app: TopicApp) -> None:
    """The first rule that matches names the function; what none matches is a dead letter, and never delivered."""
    for number, kind in enumerate(("order.created", "order.deleted", "order.lost")):
        event = {"specversion": "1.0", "id": f"{number}", "source": "test", "type": kind, "data": kind}
        event["datacontenttype"] = "text/plain"
        await app.publish("orders", json.dumps(event).encode(), "application/cloudevents+json")
    await app.settled("orders")

    found = [await texts_of(app.broker, topic) for topic in ("created", "deleted", "unrouted")]
    assert found == [["order.created"], ["order.deleted"], ["order.lost"]]


@pytest.mark.parametrize(
    ("content_type", "sent", "got"),
    [
        ("application/octet-stream", bytes(range(256)), bytes(range(256))),
        ("application/octet-stream", random.Random(6).randbytes(60_000), None),
        ("text/plain; charset=utf-8", "grün 😀\r\n".encode(), None),
        ("application/xml", b"<a/>", None),
        ("application/json", b'{"b": [1, 2.50, "x"], "a": null}', b'{"a":null,"b":[1,2.5,"x"]}'),
        ("application/json", b'"a text"', None),
    ],
    ids=["bytes", "many bytes", "text", "xml", "json", "json text"],
)
async def test_a_payload_arrives(app: TopicApp, content_type: str, sent: bytes, got: bytes | None) -> None:
    """Bytes and text reach the guest as they were published; JSON is written anew by daprd, and means the same."""
    before = await app.broker.length("echoes")

    await app.publish("payloads", sent, content_type)
    events = await app.broker.events("echoes", before + 1)

    assert base64.b64decode(events[-1]["data_base64"]) == (sent if got is None else got)


async def test_data_that_daprd_leaves_out(app: TopicApp) -> None:
    """Of a type that daprd empties nothing is left to run on: we say so, and the dead letter has the event."""
    await app.publish("payloads", b"no picture any more", "image/png")
    await app.settled("payloads")

    assert await texts_of(app.broker, "emptied") == ["no picture any more"]
    assert await app.said(
        "EVENT_EMPTIED: function 'echo': daprd dropped the data of type 'image/png'; "
        "expected 'application/octet-stream', a raw payload, JSON or text"
    )


async def test_a_raw_payload_arrives(app: TopicApp) -> None:
    """A payload that is no CloudEvent reaches the guest byte for byte."""
    payload = bytes(range(255, -1, -1))

    await app.publish("raw", payload, "image/png", is_raw=True)

    assert base64.b64decode((await app.broker.events("raws", 1))[0]["data_base64"]) == payload


async def test_attributes_are_the_guests_environment(app: TopicApp) -> None:
    """The event's attributes are CE_*, its data's type and length are CGI's, and no token is among them."""
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    event = {
        "specversion": "1.0",
        "id": "event-1",
        "source": "/shop",
        "type": "order.created",
        "subject": "order/5",
        "datacontenttype": "application/json",
        "traceparent": trace,
        "traceid": trace,
        "priority": 3,
        "urgent": True,
        "data": {"a": 1},
    }
    await app.publish("attributes", json.dumps(event).encode(), "application/cloudevents+json")
    (result,) = await app.broker.events("environments", 1)

    pairs = base64.b64decode(result["data_base64"]).rstrip(b"\0").split(b"\0")
    found = dict(pair.decode().split("=", 1) for pair in pairs)
    expected = {
        "CE_ID": "event-1",
        "CE_SOURCE": "/shop",
        "CE_TYPE": "order.created",
        "CE_SPECVERSION": "1.0",
        "CE_SUBJECT": "order/5",
        "CE_TRACEPARENT": trace,
        "CE_TRACEID": trace,
        "CE_PRIORITY": "3",
        "CE_URGENT": "true",
        "CE_TOPIC": "attributes",
        "CE_PUBSUBNAME": "pubsub",
        "CE_TIME": found["CE_TIME"],
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": "7",
        "REQUEST_METHOD": "POST",
        "QUERY_STRING": "",
        "PATH_INFO": "",
        "HTTP_PUBSUBNAME": "pubsub",
    }
    assert found == expected
    assert result["traceparent"] == trace
    assert (result["source"], result["type"]) == ("wasm-grpc/consumer/environment", "com.dapr.event.sent")
    assert result["id"] != "event-1"


async def test_a_batch_with_every_end(app: TopicApp) -> None:
    """Of a batch each message has its own end: those that failed are in the dead letter, the others taken, once."""
    texts = [f"{first}-{number}" for number in range(6) for first in "orft"]

    for text in texts:
        await app.publish("bulk", text.encode())
    await app.settled("bulk")

    taken = [text for text in texts if text.startswith("o")]
    assert sorted(await texts_of(app.broker, "bulk-out")) == taken
    assert sorted(await texts_of(app.broker, "bulk-dead")) == sorted(set(texts) - set(taken))


async def test_bytes_that_daprd_leaves_out_of_a_batch(app: TopicApp) -> None:
    """The data of a binary CloudEvent is lost in a batch, which we say; the dead letter has it."""
    await app.publish("bulk-bytes", b"lost bytes", "application/octet-stream")
    await app.settled("bulk-bytes")

    assert await texts_of(app.broker, "bulk-emptied") == ["lost bytes"]
    assert await app.said(
        "daprd dropped the data of type 'application/octet-stream'; expected a raw payload, JSON or text"
    )


async def test_a_batch_of_raw_payloads(app: TopicApp) -> None:
    """Raw payloads of a batch arrive byte for byte, where the data of binary CloudEvents would be left out."""
    payloads = [bytes([number]) * (number + 1) for number in range(5)]

    for payload in payloads:
        await app.publish("bulk-raw", payload, "application/octet-stream", is_raw=True)
    events = await app.broker.events("bulk-raws", len(payloads))

    assert sorted(base64.b64decode(event["data_base64"]) for event in events) == sorted(payloads)


async def test_what_no_rule_matches_in_a_batch(app: TopicApp) -> None:
    """What no rule matches is delivered with its batch all the same; it is one dead letter, and runs nothing."""
    for text in ("wanted", "unwanted", "wanted"):
        await app.publish("bulk-rule", text.encode())
    await app.settled("bulk-rule")

    assert await texts_of(app.broker, "wanted") == ["wanted", "wanted"]
    assert await texts_of(app.broker, "unwanted") == ["unwanted"]


# Last: what it leaves in the dead letters is no CloudEvent, which the tests above expect there.
@pytest.mark.parametrize(
    ("topic", "function", "dead"),
    [("payloads", "echo", "emptied"), ("bulk-bytes", "bulk", "bulk-emptied")],
    ids=["single", "bulk"],
)
async def test_an_object_that_is_no_event(app: TopicApp, topic: str, function: str, dead: str) -> None:
    """A bare JSON object is no success on nothing: we say what to set, and the dead letter has it."""
    before = await app.broker.length(dead)

    await app.publish(topic, b'{"order":42}', "application/json", is_raw=True)
    await app.settled(topic)

    assert (await app.broker.events(dead, before + 1))[-1] == {"order": 42}
    assert await app.said(
        f"EVENT_INVALID: function '{function}': the message is not a CloudEvent: it lacks id, source, type, "
        'specversion; expected a CloudEvent, or metadata = { rawPayload = "true" } in the trigger'
    )
