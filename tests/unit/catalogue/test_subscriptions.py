"""Topic triggers joined to subscriptions, and what contradicts itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from wasm_grpc.catalogue.function import Function
from wasm_grpc.catalogue.subscriptions import (
    Rule,
    Subscription,
    TopicRoute,
    make_subscriptions,
)
from wasm_grpc.catalogue.topic_checks import subscription_problems
from wasm_grpc.manifest.tables import FunctionManifest
from wasm_grpc.manifest.triggers import Bulk

Trigger = dict[str, Any]

CREATED = "event.type == 'created'"
DELETED = "event.type == 'deleted'"


def function(name: str, *triggers: Trigger) -> Function:
    """Return a function that takes topics; `t` of `p` where a trigger names no other."""
    topics = [{"pubsub": "p", "topic": "t", **trigger} for trigger in triggers]
    document = {"name": name, "module": "m.wasm", "trigger": {"topic": topics}}
    return Function(folder=Path(name), manifest=TypeAdapter(FunctionManifest).validate_python(document))


def route(function: Function, index: int) -> TopicRoute:
    """Return the route to one of a function's triggers."""
    return TopicRoute(function=function.name, trigger=function.manifest.trigger.topic[index])


def test_a_topic_has_one_subscription() -> None:
    """Rules stand in the order of the functions' names and then of their files; what is shared may be said once."""
    last = function("z", {"match": DELETED}, {"dead_letter": "dead", "metadata": {"a": "b"}})
    first = function("a", {"topic": "other"}, {"match": CREATED, "bulk": {"max_messages": 5}})

    subscriptions = make_subscriptions([last, first])

    assert subscriptions == {
        ("p", "other"): Subscription(
            pubsub="p",
            topic="other",
            rules=(),
            default_path="a/0",
            dead_letter="",
            bulk=None,
            metadata={},
            routes={"a/0": route(first, 0)},
        ),
        ("p", "t"): Subscription(
            pubsub="p",
            topic="t",
            rules=(Rule(match=CREATED, path="a/1"), Rule(match=DELETED, path="z/0")),
            default_path="z/1",
            dead_letter="dead",
            bulk=Bulk(max_messages=5),
            metadata={"a": "b"},
            routes={"a/1": route(first, 1), "z/0": route(last, 0), "z/1": route(last, 1)},
        ),
    }


def test_a_path_leads_to_its_function() -> None:
    """A path of ours is its trigger's, any other the default's; without a default it is nobody's."""
    with_default = function("a", {"match": CREATED}, {})
    without = function("b", {"match": CREATED, "topic": "u"})
    subscriptions = make_subscriptions([with_default, without])

    routes = [subscriptions["p", "t"].route(path) for path in ("a/0", "a/1", "", "/elsewhere")]

    assert routes == [route(with_default, 0), *[route(with_default, 1)] * 3]
    assert [subscriptions["p", "u"].route(path) for path in ("b/0", "")] == [route(without, 0), None]


@pytest.mark.parametrize(
    ("metadata", "is_raw"),
    [
        ({}, False),
        ({"rawPayload": "true"}, True),
        ({"rawPayload": "false"}, False),
        ({"rawpayload": "true"}, False),
    ],
)
def test_raw_payloads(metadata: dict[str, str], *, is_raw: bool) -> None:
    """A subscription is raw where Dapr's own key says so."""
    subscriptions = make_subscriptions([function("a", {"metadata": metadata})])

    assert subscriptions["p", "t"].is_raw is is_raw


WRONG: dict[str, tuple[list[Function], list[str]]] = {
    "no CEL": (
        [function("a", {"match": "event.type = 'x'"})],
        [
            "a/function.toml: trigger.topic[0].match: \"event.type = 'x'\" is not a rule: "
            "column 12: '=' is not an operator; expected '=='"
        ],
    ),
    "two defaults": (
        [function("a", {}), function("b", {})],
        [
            "b/function.toml: trigger.topic[0].match: is left out, and trigger.topic[0] of function 'a' is the "
            "default of topic 't' already; expected a match"
        ],
    ),
    "two defaults of one": (
        [function("a", {}, {})],
        [
            "a/function.toml: trigger.topic[1].match: is left out, and trigger.topic[0] is the default of topic 't' "
            "already; expected a match"
        ],
    ),
    "different dead letters": (
        [function("a", {"dead_letter": "x"}), function("b", {"match": CREATED, "dead_letter": "y"})],
        [
            "b/function.toml: trigger.topic[0].dead_letter: differs from trigger.topic[0] of function 'a'; "
            "expected the same, since a topic has one subscription"
        ],
    ),
    "different bulk": (
        [function("a", {"bulk": {}}), function("b", {"match": CREATED, "bulk": {"max_messages": 2}})],
        [
            "b/function.toml: trigger.topic[0].bulk: differs from trigger.topic[0] of function 'a'; "
            "expected the same, since a topic has one subscription"
        ],
    ),
    "different metadata": (
        [function("a", {"metadata": {"k": "1"}}), function("b", {"match": CREATED, "metadata": {"k": "2"}})],
        [
            "b/function.toml: trigger.topic[0].metadata: differs from trigger.topic[0] of function 'a'; "
            "expected the same, since a topic has one subscription"
        ],
    ),
    "raw payload of a batch": (
        [function("a", {"match": CREATED, "bulk": {}, "metadata": {"rawPayload": "true"}})],
        [
            "a/function.toml: trigger.topic[0].match: raw payloads of a bulk subscription have no attributes; "
            "expected no match, or the topic without bulk or rawPayload"
        ],
    ),
    "rawPayload": (
        [function("a", {"metadata": {"rawPayload": "yes"}})],
        [
            "a/function.toml: trigger.topic[0].metadata.rawPayload: 'yes' is not a boolean; expected 'true' or 'false'"
        ],
    ),
    "dead letter to itself": (
        [function("a", {"dead_letter": "t"})],
        ["a/function.toml: trigger.topic[0].dead_letter: is the topic itself; expected another topic"],
    ),
    "result to itself": (
        [function("a", {"then": {"publish": {"pubsub": "p", "topic": "t"}}})],
        [
            "a/function.toml: trigger.topic[0].then.publish.topic: is the topic itself, so each result would come "
            "back; expected another topic"
        ],
    ),
    "the second result to itself": (
        [function("a", {"then": [{"publish": {"pubsub": "p", "topic": topic}} for topic in ("u", "t")]})],
        [
            "a/function.toml: trigger.topic[0].then[1].publish.topic: is the topic itself, so each result would "
            "come back; expected another topic"
        ],
    ),
}


@pytest.mark.parametrize(("functions", "problems"), WRONG.values(), ids=WRONG)
def test_what_contradicts_itself(functions: list[Function], problems: list[str]) -> None:
    """Each fault is told with its file and key, and what was expected."""
    assert list(subscription_problems(functions)) == problems


@pytest.mark.parametrize(
    "functions",
    [
        [function("a", {"match": CREATED}), function("b", {"match": DELETED}), function("c", {})],
        [function("a", {"dead_letter": "x"}), function("b", {"match": CREATED, "dead_letter": "x"})],
        [function("a", {"pubsub": "q"}), function("b", {})],
        [function("a", {"match": CREATED, "then": {"publish": {"pubsub": "p", "topic": "t"}}})],
        [function("a", {"metadata": {"rawPayload": "T"}, "bulk": {}})],
    ],
    ids=["rules", "one dead letter", "two components", "result of another type", "raw batch"],
)
def test_what_goes_together(functions: list[Function]) -> None:
    """Nothing is found where there is nothing wrong."""
    assert list(subscription_problems(functions)) == []


@pytest.mark.parametrize(
    ("guest", "calls"), [("wapc", ["f", "store"]), ("wasi-command", ["", ""])], ids=["wapc", "command"]
)
def test_an_operation_is_the_triggers_call_or_the_functions_name(guest: str, calls: list[str]) -> None:
    """A message names no method; a command has no operations at all."""
    triggers = [{"pubsub": "p", "topic": "t"}, {"pubsub": "p", "topic": "u", "call": "store"}]
    document = {"name": "f", "module": "m.wasm", "guest": guest, "trigger": {"topic": triggers}}
    manifest = TypeAdapter(FunctionManifest).validate_python(document)

    subscriptions = make_subscriptions([Function(folder=Path("f"), manifest=manifest)])

    routes = [subscriptions["p", topic].route("") for topic in ("t", "u")]
    assert [each.call for each in routes if each is not None] == calls
