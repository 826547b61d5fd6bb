"""Dapr pub/sub: find the function for each message, run it, decide what daprd does with the message."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from wasm_grpc.catalogue.routes import Catalogue
from wasm_grpc.catalogue.subscriptions import Subscription, TopicRoute
from wasm_grpc.core.errors import InvocationError
from wasm_grpc.core.model import OUTER, Origin, Reason, ResponseKind
from wasm_grpc.invocation.delivery import Deliveries
from wasm_grpc.invocation.deployment import Deployment
from wasm_grpc.invocation.environment import Metadata, event_environment
from wasm_grpc.invocation.event import Event
from wasm_grpc.invocation.outcomes import Verdict
from wasm_grpc.invocation.output_requests import Cause, Output
from wasm_grpc.invocation.runner import Call, Runner
from wasm_grpc.manifest.tables import FunctionManifest

__all__ = ["Consumer"]

_log = logging.getLogger("wasm_grpc.topic")


@dataclass(frozen=True, slots=True)
class _Receiver:
    """
    The function that receives an event, and the route that leads to it.
    """

    function: FunctionManifest
    subscription: Subscription
    route: TopicRoute


@dataclass(frozen=True, slots=True)
class _Message:
    """
    An event on its way to its receiver.
    """

    event: Event
    receiver: _Receiver

    @property
    def identity(self) -> Hashable:
        return _identity(self.event, self.receiver.subscription, self.receiver.route)

    def __str__(self) -> str:
        return _shown(self.event)


class Consumer:
    """
    Consumes the messages of topics. Safe for concurrent deliveries.
    """

    def __init__(self, deployment: Deployment, runner: Runner) -> None:
        self._deployment = deployment
        self._runner = runner
        self._deliveries = Deliveries(_log)

    async def consume(self, event: Event, metadata: Metadata) -> Verdict:
        """
        Run the function that receives a message, and return the verdict on the message. Never fails.
        """
        (verdict,) = await self.consume_batch([event], metadata)
        return verdict

    async def consume_batch(self, events: Sequence[Event], metadata: Metadata) -> list[Verdict]:
        """
        Consume a delivery concurrently, within the function's limits. Return the verdicts in order.
        """
        if not events:
            return []
        # daprd sends one delivery for each path, so all its messages go to one function.
        receiver = _find_receiver(events[0], self._deployment.catalogue)
        if not isinstance(receiver, _Receiver):
            return [self._verdict_without_receiver(event, receiver) for event in events]
        if len(events) == 1:
            return await self._consume(events, metadata, receiver)
        name = receiver.function.name
        # Hand in only as many batches as leave room in the queue: the whole delivery would fill it.
        at_once = min(len(events), self._runner.capacity(name))
        verdicts = [Verdict.RETRY] * len(events)
        taken = 0

        async def consume_one_by_one() -> None:
            nonlocal taken
            while taken < len(events):
                first = taken
                last = taken = first + _even_share(len(events), at_once, self._runner.batch_size(name))
                verdicts[first:last] = await self._consume(events[first:last], metadata, receiver)

        await asyncio.gather(*(consume_one_by_one() for _ in range(at_once)))
        return verdicts

    async def _consume(
        self, events: Sequence[Event], metadata: Metadata, receiver: _Receiver
    ) -> list[Verdict]:
        """
        Consume messages as one batch of the pool.
        """
        ids = [self._runner.next_id() for _ in events]
        return await self._deliveries.settle_batch(
            self._run(events, metadata, receiver, ids),
            messages=[_Message(event, receiver) for event in events],
            policy=receiver.function.outcome,
            invocation_ids=ids,
        )

    async def _run(
        self, events: Sequence[Event], metadata: Metadata, receiver: _Receiver, ids: Sequence[str]
    ) -> list[InvocationError | None]:
        """
        Run the function for each message that it can take, and return each message's error.

        Raises:
            InvocationError: It ran for none.
        """
        calls = [
            self._call(event, metadata, receiver, invocation_id)
            for event, invocation_id in zip(events, ids, strict=True)
        ]
        taken = [each for each in calls if isinstance(each, Call)]
        errors = iter(await self._runner.run_batch(receiver.function, taken) if taken else ())
        return [next(errors) if isinstance(each, Call) else each for each in calls]

    def _call(
        self, event: Event, metadata: Metadata, receiver: _Receiver, invocation_id: str
    ) -> Call | InvocationError:
        function = receiver.function
        try:
            with self._runner.telling_refusal:
                _check_event(event, function)
                env = event_environment(
                    event,
                    (*metadata, *event.metadata),
                    withheld=function.env.keys(),
                    is_cgi=function.response is ResponseKind.CGI,
                )
        except InvocationError as exc:
            return exc
        return Call(
            body=event.data,
            env=env,
            invocation_id=invocation_id,
            operation=receiver.route.call,
            output=_output(event, receiver.route),
            origin=Origin(trace=event.trace) if function.capabilities.dapr.is_granted else OUTER,
        )

    def _verdict_without_receiver(self, event: Event, subscription: Subscription | None) -> Verdict:
        verdict = _verdict_without_receiver(event, subscription)
        if verdict is not Verdict.SUCCESS:
            self._runner.refused(Reason.UNKNOWN_METHOD)
        return verdict


def _even_share(events: int, at_once: int, batch_size: int) -> int:
    """
    Return the size of equal batches, which occupy all run slots until the end.
    """
    rounds = -(-events // (at_once * batch_size))
    return -(-events // (at_once * rounds))


def _find_receiver(event: Event, catalogue: Catalogue) -> _Receiver | Subscription | None:
    """
    Return the receiver of an event. If no route matches, return its subscription, or None if it has none.
    """
    subscription = catalogue.subscriptions.get((event.pubsub, event.topic))
    route = subscription.route(event.path) if subscription else None
    if subscription is None or route is None:
        return subscription
    return _Receiver(catalogue.functions[route.function].manifest, subscription, route)


def _check_event(event: Event, function: FunctionManifest) -> None:
    """
    Refuse a message whose attributes or data daprd has dropped.

    Raises:
        InvocationError: EVENT_INVALID, EVENT_EMPTIED.
    """
    if missing := event.missing_attributes:
        raise InvocationError(
            Reason.EVENT_INVALID,
            f"function '{function.name}': the message is not a CloudEvent: it lacks {', '.join(missing)}; "
            'expected a CloudEvent, or metadata = { rawPayload = "true" } in the trigger',
            function=function.name,
        )
    if event.is_emptied:
        # Bulk delivery drops octet-stream too.
        bytes_ = "" if event.is_bulk else "'application/octet-stream', "
        raise InvocationError(
            Reason.EVENT_EMPTIED,
            f"function '{function.name}': daprd dropped the data of type '{event.content_type}'; "
            f"expected {bytes_}a raw payload, JSON or text",
            function=function.name,
        )


def _verdict_without_receiver(event: Event, subscription: Subscription | None) -> Verdict:
    if subscription is not None and subscription.bulk is not None and not event.path:
        # daprd delivers bulk messages that no rule matched although it has already dropped them
        # (`getRouteIfProcessable` in its pkg/runtime/subscription). Any verdict but SUCCESS would
        # put the message on the dead-letter topic twice.
        _log.debug("%s: no rule matches", _shown(event))
        return Verdict.SUCCESS
    _log.warning("%s is to be retried: no function receives it (path '%s')", _shown(event), event.path)
    return Verdict.RETRY


def _output(event: Event, route: TopicRoute) -> Output | None:
    if not route.trigger.then:
        return None
    cause = Cause(id=event.id, subject=event.subject, function=route.function, trace=event.trace)
    return Output(route.trigger.then, cause)


def _identity(event: Event, subscription: Subscription, route: TopicRoute) -> Hashable:
    """
    Return the identity of a message, the same at every delivery.
    """
    place = (route.function, event.pubsub, event.topic)
    if event.id and not (event.is_raw or subscription.is_raw):
        return (*place, event.source, event.id)
    # daprd gives a raw payload a new id at each delivery by the broker.
    return (*place, hashlib.sha256(event.data).digest())


def _shown(event: Event) -> str:
    return f"message {event.id!r} of {event.pubsub}/{event.topic}"
