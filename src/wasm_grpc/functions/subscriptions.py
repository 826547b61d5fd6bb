"""What the functions subscribe to: one subscription a topic, and who takes what it delivers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from wasm_grpc.functions.expressions import match_fault
from wasm_grpc.functions.function import Function
from wasm_grpc.functions.triggers import Bulk, TopicTrigger
from wasm_grpc.functions.wording import shown

__all__ = [
    "Rule",
    "Subscription",
    "Subscriptions",
    "TopicRoute",
    "make_subscriptions",
    "subscription_problems",
]

_RAW_PAYLOAD = "rawPayload"
"""Of a subscription's metadata: payloads are no CloudEvents (``metadata/utils.go`` of Dapr's components)."""
_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False", ""})
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
        return _is_raw(self.metadata)

    def route(self, path: str) -> TopicRoute | None:
        """
        Find who takes what is delivered under a path.

        A path that isn't ours is a declarative subscription's: the topic's default takes it, if there is one.
        """
        return self.routes.get(path) or self.routes.get(self.default_path)


Subscriptions = Mapping[tuple[str, str], Subscription]
"""By (pubsub, topic)."""


def make_subscriptions(functions: Iterable[Function]) -> Subscriptions:
    """
    Join the topic triggers of functions in which `subscription_problems` finds nothing.
    """
    return MappingProxyType(
        {key: _subscription(key, claims) for key, claims in _claims_by_topic(functions).items()}
    )


def subscription_problems(functions: Iterable[Function]) -> Iterator[str]:
    """
    Give a line for each topic trigger that is wrong, or that another one contradicts.
    """
    for claims in _claims_by_topic(functions).values():
        for claim in claims:
            yield from _own_problems(claim, claims)
        yield from _contradictions(claims)


@dataclass(frozen=True, slots=True)
class _Claim:
    """
    A topic trigger, and whose it is.
    """

    function: Function
    index: int
    trigger: TopicTrigger

    @property
    def path(self) -> str:
        # Not "": under that path daprd delivers bulk messages that no rule matched.
        return f"{self.function.name}/{self.index}"

    def blame(self, key: str, problem: str) -> str:
        return self.function.blame(f"trigger.topic[{self.index}].{key}: {problem}")


def _claims_by_topic(functions: Iterable[Function]) -> dict[tuple[str, str], list[_Claim]]:
    by_topic: dict[tuple[str, str], list[_Claim]] = {}
    for function in sorted(functions, key=lambda each: each.name):
        for index, trigger in enumerate(function.manifest.trigger.topic):
            claims = by_topic.setdefault((trigger.pubsub, trigger.topic), [])
            claims.append(_Claim(function, index, trigger))
    return by_topic


def _subscription(key: tuple[str, str], claims: list[_Claim]) -> Subscription:
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


def _is_raw(metadata: Mapping[str, str]) -> bool:
    return metadata.get(_RAW_PAYLOAD, "") in _TRUE


def _own_problems(claim: _Claim, claims: list[_Claim]) -> Iterator[str]:
    trigger = claim.trigger
    if trigger.match is not None:
        fault = match_fault(trigger.match)
        if fault is not None:
            yield claim.blame(
                "match", f"{shown(trigger.match)} {fault}; expected one such as 'event.type == \"created\"'"
            )
        elif any(each.trigger.bulk for each in claims) and any(
            _is_raw(each.trigger.metadata) for each in claims
        ):
            yield claim.blame(
                "match",
                "raw payloads of a bulk subscription have no attributes; expected no match, "
                f"or the topic without bulk or {_RAW_PAYLOAD}",
            )
    if trigger.dead_letter == trigger.topic:
        yield claim.blame("dead_letter", "is the topic itself; expected another topic")
    raw = trigger.metadata.get(_RAW_PAYLOAD, "")
    if raw not in _TRUE | _FALSE:
        yield claim.blame(
            f"metadata.{_RAW_PAYLOAD}", f"{shown(raw)} is no boolean; expected 'true' or 'false'"
        )
    publish = trigger.then.publish if trigger.then else None
    is_loop = publish and (publish.pubsub, publish.topic) == (trigger.pubsub, trigger.topic)
    if is_loop and trigger.match is None:
        yield claim.blame(
            "then.publish.topic",
            "is the topic itself, so each result would come back; expected another topic",
        )


_SHARED: Mapping[str, Callable[[TopicTrigger], object]] = {
    "dead_letter": lambda trigger: trigger.dead_letter,
    "bulk": lambda trigger: trigger.bulk,
    "metadata": lambda trigger: dict(trigger.metadata),
}
"""Of the subscription, which is one a topic: a trigger that leaves it out takes another's."""


def _contradictions(claims: list[_Claim]) -> Iterator[str]:
    defaults = [claim for claim in claims if claim.trigger.match is None]
    for claim in defaults[1:]:
        yield claim.blame(
            "match",
            f"is left out, and {_whose(defaults[0], claim)} is the default of topic "
            f"{shown(claim.trigger.topic)} already; expected a match",
        )
    for key, value_of in _SHARED.items():
        given = [claim for claim in claims if value_of(claim.trigger)]
        for claim in given[1:]:
            if value_of(claim.trigger) != value_of(given[0].trigger):
                yield claim.blame(
                    key,
                    f"differs from {_whose(given[0], claim)}; expected the same, "
                    "since a topic has one subscription",
                )


def _whose(claim: _Claim, other: _Claim) -> str:
    trigger = f"trigger.topic[{claim.index}]"
    return trigger if claim.function is other.function else f"{trigger} of function {claim.function.name!r}"
