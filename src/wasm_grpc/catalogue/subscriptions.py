"""The functions' subscriptions: one for each topic, with routes to the functions that receive from it."""

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
"""Metadata key of a subscription to messages that are not CloudEvents (``metadata/utils.go`` of Dapr's
components)."""
GO_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
GO_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False", ""})
"""What Go's ``strconv.ParseBool`` accepts. With any other value daprd delivers nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicRoute:
    """
    The receiver of a message.

    Attributes:
        function: Name of the function.
        trigger: The trigger in its manifest.
        call: The export or operation to call; "" for a guest that has only one.
    """

    function: str
    trigger: TopicTrigger
    call: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """
    A CEL expression, and the path at which daprd delivers matching messages.
    """

    match: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """
    The one subscription to a topic, for all functions together.

    Attributes:
        pubsub: The pub/sub component.
        topic: The topic.
        rules: In the order in which daprd tries them: by function name, then by position in the manifest.
        default_path: Path of messages that no rule matches; "" if no function receives them.
        dead_letter: Topic for dropped messages; "" for none.
        bulk: Settings of bulk delivery; None for single delivery.
        metadata: Metadata of the subscription, for the component.
        routes: The receivers, by path.
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
        Whether its messages are raw payloads, to which daprd gives a new id at each delivery.
        """
        return is_raw(self.metadata)

    def route(self, path: str) -> TopicRoute | None:
        """
        Find the receiver of messages delivered at a path.

        A path that isn't one of ours comes from a declarative subscription. The topic's default, if there is
        one, receives those messages.
        """
        return self.routes.get(path) or self.routes.get(self.default_path)


def is_raw(metadata: Mapping[str, str]) -> bool:
    """
    Return whether a subscription's metadata asks for raw payloads.
    """
    return metadata.get(RAW_PAYLOAD, "") in GO_TRUE


Subscriptions = Mapping[tuple[str, str], Subscription]
"""By (pubsub, topic)."""


def make_subscriptions(functions: Iterable[Function]) -> Subscriptions:
    """
    Merge topic triggers into subscriptions. `topic_checks.subscription_problems` must have found nothing.
    """
    return MappingProxyType(
        {key: _subscription(key, claims) for key, claims in claims_by_topic(functions).items()}
    )


@dataclass(frozen=True, slots=True)
class Claim:
    """
    A topic trigger and its function.

    Attributes:
        function: The function that declares it.
        index: Its index in the function's manifest.
        trigger: The trigger.
    """

    function: Function
    index: int
    trigger: TopicTrigger

    @property
    def path(self) -> str:
        """
        The path at which daprd delivers its messages.
        """
        # Not "": at that path daprd delivers bulk messages that no rule matched.
        return f"{self.function.name}/{self.index}"

    def format_problem(self, key: str, problem: str) -> str:
        """
        Return the whole line of a problem, as `Function.format_problem` does.
        """
        return self.function.format_problem(f"trigger.topic[{self.index}].{key}: {problem}")


def claims_by_topic(functions: Iterable[Function]) -> dict[tuple[str, str], list[Claim]]:
    """
    Return the triggers of each (pubsub, topic), by function name, then by position in the manifest.
    """
    by_topic: dict[tuple[str, str], list[Claim]] = {}
    for function in sorted(functions, key=lambda each: each.name):
        for index, trigger in enumerate(function.manifest.trigger.topic):
            claims = by_topic.setdefault((trigger.pubsub, trigger.topic), [])
            claims.append(Claim(function, index, trigger))
    return by_topic


def _subscription(key: tuple[str, str], claims: list[Claim]) -> Subscription:
    triggers = [claim.trigger for claim in claims]
    routes = {
        claim.path: TopicRoute(
            function=claim.function.name,
            trigger=claim.trigger,
            call=claim.function.operation(claim.trigger),
        )
        for claim in claims
    }
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
