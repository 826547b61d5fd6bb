"""What the functions subscribe to: one subscription a topic, and who takes what it delivers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from wasm_grpc.catalogue.function import Function
from wasm_grpc.manifest.triggers import Bulk, TopicTrigger

__all__ = [
    "GO_FALSE",
    "GO_TRUE",
    "RAW_PAYLOAD",
    "Claim",
    "Rule",
    "Subscription",
    "Subscriptions",
    "TopicRoute",
    "claims_by_topic",
    "is_raw",
    "make_subscriptions",
]

RAW_PAYLOAD = "rawPayload"
"""Of a subscription's metadata: payloads are no CloudEvents (``metadata/utils.go`` of Dapr's components)."""
GO_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
GO_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False", ""})
"""What Go's ``strconv.ParseBool`` takes; daprd delivers nothing to a subscription that says anything else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicRoute:
    """
    Who takes a message.

    Attributes:
        function: Name of the function.
        trigger: What its manifest says of the topic.
    """

    function: str
    trigger: TopicTrigger


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """
    A CEL expression, and the path under which daprd delivers what it matches.
    """

    match: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """
    All that the functions want of one topic.

    Attributes:
        pubsub: The pub/sub component.
        topic: The topic.
        rules: In the order in which they are tried: of function names, then of each file.
        default_path: The path of what no rule matches; "" where nobody takes it.
        dead_letter: Topic of what is dropped; "" for none.
        bulk: How many messages one delivery may hold; None for one.
        metadata: Of the subscription, for the component.
        routes: Who takes what, by path.
    """

    pubsub: str
    topic: str
    rules: tuple[Rule, ...]
    default_path: str
    dead_letter: str
    bulk: Bulk | None
    metadata: Mapping[str, str]
    routes: Mapping[str, TopicRoute]

    @property
    def is_raw(self) -> bool:
        """
        Its messages are no CloudEvents: daprd gives them a new id at each delivery.
        """
        return is_raw(self.metadata)

    def route(self, path: str) -> TopicRoute | None:
        """
        Find who takes what is delivered under a path.

        A path that isn't ours is a declarative subscription's: the topic's default takes it, if there is one.
        """
        return self.routes.get(path) or self.routes.get(self.default_path)


def is_raw(metadata: Mapping[str, str]) -> bool:
    """
    Whether a subscription's metadata ask for raw payloads.
    """
    return metadata.get(RAW_PAYLOAD, "") in GO_TRUE


Subscriptions = Mapping[tuple[str, str], Subscription]
"""By (pubsub, topic)."""


def make_subscriptions(functions: Iterable[Function]) -> Subscriptions:
    """
    Join the topic triggers of functions in which `topic_checks.subscription_problems` finds nothing.
    """
    return MappingProxyType(
        {key: _subscription(key, claims) for key, claims in claims_by_topic(functions).items()}
    )


@dataclass(frozen=True, slots=True)
class Claim:
    """
    A topic trigger, and whose it is.

    Attributes:
        function: The function that has it.
        index: Its place in the function's file.
        trigger: What it says.
    """

    function: Function
    index: int
    trigger: TopicTrigger

    @property
    def path(self) -> str:
        """
        The path under which daprd delivers to it.
        """
        # Not "": under that path daprd delivers bulk messages that no rule matched.
        return f"{self.function.name}/{self.index}"

    def format_problem(self, key: str, problem: str) -> str:
        """
        Return a problem's whole line, as `Function.blame` does.
        """
        return self.function.format_problem(f"trigger.topic[{self.index}].{key}: {problem}")


def claims_by_topic(functions: Iterable[Function]) -> dict[tuple[str, str], list[Claim]]:
    """
    Return all triggers of each (pubsub, topic), in the order of function names, then of each file.
    """
    by_topic: dict[tuple[str, str], list[Claim]] = {}
    for function in sorted(functions, key=lambda each: each.name):
        for index, trigger in enumerate(function.manifest.trigger.topic):
            claims = by_topic.setdefault((trigger.pubsub, trigger.topic), [])
            claims.append(Claim(function, index, trigger))
    return by_topic


def _subscription(key: tuple[str, str], claims: list[Claim]) -> Subscription:
    triggers = [claim.trigger for claim in claims]
    routes = {claim.path: TopicRoute(function=claim.function.name, trigger=claim.trigger) for claim in claims}
    return Subscription(
        pubsub=key[0],
        topic=key[1],
        rules=tuple(
            Rule(match=claim.trigger.match, path=claim.path) for claim in claims if claim.trigger.match
        ),
        default_path=next((claim.path for claim in claims if claim.trigger.match is None), ""),
        dead_letter=next((each.dead_letter for each in triggers if each.dead_letter), ""),
        bulk=next((each.bulk for each in triggers if each.bulk), None),
        metadata=next((each.metadata for each in triggers if each.metadata), {}),
        routes=MappingProxyType(routes),
    )
