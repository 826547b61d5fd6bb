"""Decide what a trigger's ``then`` asks Dapr for: its templates filled in, and the result as data."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from wasm_grpc.core.errors import InvocationError
from wasm_grpc.core.model import Reason, Trace
from wasm_grpc.invocation.cloud_event import CLOUD_EVENT_TYPE, cloud_event
from wasm_grpc.invocation.response import Response
from wasm_grpc.manifest.keys import Sql
from wasm_grpc.manifest.outputs import StateConcurrency, StateOutput, Then
from wasm_grpc.manifest.templates import Result, TemplateError, fill, fill_array

__all__ = [
    "BindingRequest",
    "Cause",
    "Output",
    "OutputRequest",
    "PublishRequest",
    "StateRequest",
    "output_requests",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """
    What caused an invocation: the values for templates and for the trace of its result.

    Attributes:
        id: The event's id, else the invocation's.
        subject: The event's subject, or "".
        method: The method that was called, or "".
        name: Name of the binding or the job, or "".
        function: The function's name.
        trace: The caller's trace.
    """

    id: str
    subject: str = ""
    method: str = ""
    name: str = ""
    function: str
    trace: Trace


@dataclass(frozen=True, slots=True)
class Output:
    """
    The destinations of one result, and the cause of its invocation.
    """

    destinations: tuple[Then, ...]
    cause: Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishRequest:
    """
    A result to publish.

    Attributes:
        pubsub: The pub/sub component.
        topic: The topic.
        data: The message.
        content_type: Media type of the message.
    """

    pubsub: str
    topic: str
    data: bytes
    content_type: str

    def __str__(self) -> str:
        return f"published to {self.pubsub}/{self.topic}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StateRequest:
    """
    A result to save.

    Attributes:
        store: The state store component.
        key: The key.
        value: The value.
        is_first_write: Fail if somebody else has written the key.
        etag: The etag that the key must still have; None for any.
        ttl_s: How long the store keeps it, in seconds; None for ever.
    """

    store: str
    key: str
    value: bytes
    is_first_write: bool
    etag: str | None
    ttl_s: int | None

    def __str__(self) -> str:
        return f"saved as {self.store}/{self.key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingRequest:
    """
    A result to send to an output binding.

    Attributes:
        name: The binding component.
        operation: Its operation.
        data: The data of the operation.
        metadata: The metadata of the operation.
    """

    name: str
    operation: str
    data: bytes
    metadata: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return f"sent to binding {self.name}/{self.operation}"


OutputRequest = PublishRequest | StateRequest | BindingRequest
"""What Dapr is asked for. Its text completes the sentence "The result could not be …"."""


def output_requests(output: Output, response: Response, *, app_id: str) -> list[OutputRequest]:
    """
    Return the request for each destination of a result, in their order.

    Args:
        output: The destinations.
        response: The result.
        app_id: This app's id, for the ``source`` of events.

    Raises:
        InvocationError: THEN_FAILED if a template has no value.
    """
    return list(_requests(output, response, app_id))


def _requests(output: Output, response: Response, app_id: str) -> Iterator[OutputRequest]:
    cause = output.cause
    values = {
        "id": cause.id,
        "subject": cause.subject,
        "method": cause.method,
        "name": cause.name or cause.function,
    }

    result = Result(response.body)

    def filled(template: str | tuple[str, ...]) -> str:
        try:
            if isinstance(template, tuple):
                return fill_array(template, values, result)
            return template if isinstance(template, Sql) else fill(template, values, result)
        except TemplateError as exc:
            raise InvocationError(Reason.THEN_FAILED, f"its result could not be sent on: {exc}") from exc

    for then in output.destinations:
        if then.publish is not None:
            # A relative URI reference, which CloudEvents allows as a source.
            source = f"wasm-grpc/{app_id}/{cause.function}"
            yield PublishRequest(
                pubsub=filled(then.publish.pubsub),
                topic=filled(then.publish.topic),
                data=cloud_event(response.body, response.content_type, source=source, trace=cause.trace),
                content_type=CLOUD_EVENT_TYPE,
            )
        if then.state is not None:
            yield _state_request(then.state, response.body, filled)
        if then.binding is not None:
            yield BindingRequest(
                name=filled(then.binding.name),
                operation=filled(then.binding.operation),
                data=response.body,
                metadata=tuple((key, filled(value)) for key, value in then.binding.metadata.items()),
            )


def _state_request(output: StateOutput, value: bytes, filled: Callable[[str], str]) -> StateRequest:
    return StateRequest(
        store=filled(output.store),
        key=filled(output.key),
        value=value,
        is_first_write=output.concurrency is StateConcurrency.FIRST_WRITE,
        etag=None if output.etag is None else filled(output.etag),
        ttl_s=None if output.ttl is None else math.ceil(output.ttl),
    )
