"""Check topic triggers: each by itself, and against the others of its topic."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from wasm_grpc.catalogue.function import Function
from wasm_grpc.catalogue.subscriptions import GO_FALSE, GO_TRUE, RAW_PAYLOAD, Claim, claims_by_topic, is_raw
from wasm_grpc.manifest.expressions import match_fault
from wasm_grpc.manifest.triggers import TopicTrigger
from wasm_grpc.manifest.wording import shown

__all__ = ["subscription_problems"]


def subscription_problems(functions: Iterable[Function]) -> Iterator[str]:
    """
    Yield a line for each fault of a topic trigger, and for each contradiction between two of them.
    """
    for claims in claims_by_topic(functions).values():
        for claim in claims:
            yield from _own_problems(claim, claims)
        yield from _contradictions(claims)


def _own_problems(claim: Claim, claims: list[Claim]) -> Iterator[str]:
    trigger = claim.trigger
    if trigger.match is not None:
        fault = match_fault(trigger.match)
        if fault is not None:
            yield claim.format_problem("match", f"{shown(trigger.match)} {fault}")
        elif any(each.trigger.bulk for each in claims) and any(
            is_raw(each.trigger.metadata) for each in claims
        ):
            yield claim.format_problem(
                "match",
                "raw payloads of a bulk subscription have no attributes; expected no match, "
                f"or the topic without bulk or {RAW_PAYLOAD}",
            )
    if trigger.dead_letter == trigger.topic:
        yield claim.format_problem("dead_letter", "is the topic itself; expected another topic")
    raw = trigger.metadata.get(RAW_PAYLOAD, "")
    if raw not in GO_TRUE | GO_FALSE:
        yield claim.format_problem(
            f"metadata.{RAW_PAYLOAD}", f"{shown(raw)} is not a boolean; expected 'true' or 'false'"
        )
    for index, then in enumerate(trigger.then):
        publish = then.publish
        is_loop = publish and (publish.pubsub, publish.topic) == (trigger.pubsub, trigger.topic)
        if is_loop and trigger.match is None:
            place = f"then[{index}]" if len(trigger.then) > 1 else "then"
            yield claim.format_problem(
                f"{place}.publish.topic",
                "is the topic itself, so each result would come back; expected another topic",
            )


_SHARED: Mapping[str, Callable[[TopicTrigger], object]] = {
    "dead_letter": lambda trigger: trigger.dead_letter,
    "bulk": lambda trigger: trigger.bulk,
    "metadata": lambda trigger: dict(trigger.metadata),
}
"""Keys that belong to the topic's one subscription. A trigger without such a key uses another trigger's."""


def _contradictions(claims: list[Claim]) -> Iterator[str]:
    defaults = [claim for claim in claims if claim.trigger.match is None]
    for claim in defaults[1:]:
        yield claim.format_problem(
            "match",
            f"is left out, and {_whose(defaults[0], claim)} is the default of topic "
            f"{shown(claim.trigger.topic)} already; expected a match",
        )
    for key, value_of in _SHARED.items():
        given = [claim for claim in claims if value_of(claim.trigger)]
        for claim in given[1:]:
            if value_of(claim.trigger) != value_of(given[0].trigger):
                yield claim.format_problem(
                    key,
                    f"differs from {_whose(given[0], claim)}; expected the same, "
                    "since a topic has one subscription",
                )


def _whose(claim: Claim, other: Claim) -> str:
    trigger = f"trigger.topic[{claim.index}]"
    return trigger if claim.function is other.function else f"{trigger} of function {claim.function.name!r}"
