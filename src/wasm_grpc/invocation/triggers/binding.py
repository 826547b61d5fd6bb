"""Input bindings: find the function for each event, run it, decide what the binding's component is told."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Hashable
from dataclasses import dataclass

from wasm_grpc.catalogue.routes import Route
from wasm_grpc.core.model import OUTER, Origin, ResponseKind
from wasm_grpc.invocation.delivery import Delivered, Deliveries
from wasm_grpc.invocation.deployment import Deployment
from wasm_grpc.invocation.environment import TRACE_KEYS, Metadata, binding_environment, trace_of
from wasm_grpc.invocation.output_requests import Cause, Output
from wasm_grpc.invocation.response import Response
from wasm_grpc.invocation.runner import Call, Runner
from wasm_grpc.manifest.tables import FunctionManifest
from wasm_grpc.manifest.triggers import BindingTrigger

__all__ = ["KIND", "BindingEvent", "Bindings", "Receiver"]

_log = logging.getLogger("wasm_grpc.binding")

KIND = "binding"
"""The kind of trigger, as in ``[[trigger.binding]]``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingEvent:
    """
    One event of an input binding.

    Attributes:
        name: The binding.
        data: The data.
        metadata: The component's metadata of this event; keys in lower case.
    """

    name: str
    data: bytes
    metadata: tuple[tuple[str, str], ...]

    @property
    def identity(self) -> Hashable:
        """
        See `Message.identity`. An event has no id, and its metadata may change with each delivery.
        """
        return self.name, hashlib.sha256(self.data).digest()

    @property
    def content_type(self) -> str:
        """
        Media type of the data, where the component says it; else "".
        """
        return dict(self.metadata).get("content-type", "")

    def __str__(self) -> str:
        return f"event of binding '{self.name}'"


@dataclass(frozen=True, slots=True)
class Receiver:
    """
    The function that receives a binding's events, the trigger that says so, and the route to it.
    """

    function: FunctionManifest
    trigger: BindingTrigger
    route: Route


class Bindings:
    """
    Receives the events of input bindings. Safe for concurrent events.
    """

    def __init__(self, deployment: Deployment, runner: Runner) -> None:
        self._deployment = deployment
        self._runner = runner
        self._deliveries = Deliveries(_log)

    def find(self, name: str) -> Receiver | None:
        """
        Find the receiver of a binding's events; None if no function receives them.
        """
        found = self._deployment.find_named(KIND, name)
        if found is None:
            return None
        route, function = found
        trigger = next(each for each in function.trigger.binding if each.name == name)
        return Receiver(function, trigger, route)

    async def receive(
        self, event: BindingEvent, metadata: Metadata, receiver: Receiver
    ) -> Delivered[Response]:
        """
        Run the function that receives an event, and return what became of the event. Never fails.

        Args:
            event: The event.
            metadata: The call's metadata.
            receiver: See `find`.
        """
        invocation_id = self._runner.next_id()
        return await self._deliveries.deliver(
            self._run(event, _all_metadata(event, tuple(metadata)), receiver, invocation_id),
            message=event,
            policy=receiver.function.outcome,
            invocation_id=invocation_id,
        )

    async def _run(
        self, event: BindingEvent, metadata: Metadata, receiver: Receiver, invocation_id: str
    ) -> Response:
        function, route, trace = receiver.function, receiver.route, trace_of(metadata)
        env = binding_environment(
            event.name,
            content_type=event.content_type,
            content_length=len(event.data),
            metadata=metadata,
            withheld=function.env.keys(),
            is_cgi=function.response is ResponseKind.CGI,
        )
        cause = Cause(id=invocation_id, name=event.name, function=function.name, trace=trace)
        call = Call(
            body=event.data,
            env=env,
            invocation_id=invocation_id,
            operation=route.call,
            output=Output(route.then, cause) if route.then else None,
            origin=Origin(trace=trace) if function.capabilities.dapr.is_granted else OUTER,
        )
        return await self._runner.run(function, call)


def _all_metadata(event: BindingEvent, metadata: tuple[tuple[str, str | bytes], ...]) -> Metadata:
    """
    Return the metadata of a call and of its event.

    daprd continues the event's trace in that of the call, which then stands for both.
    """
    has_trace = any(key in TRACE_KEYS for key, _ in metadata)
    return (
        *metadata,
        *((key, value) for key, value in event.metadata if not (has_trace and key in TRACE_KEYS)),
    )
