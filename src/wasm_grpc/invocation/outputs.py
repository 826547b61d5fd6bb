"""Send results where a trigger's ``then`` says, besides the reply."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from wasm_grpc.core.errors import InvocationError
from wasm_grpc.core.model import Reason, Trace
from wasm_grpc.invocation.cloud_event import CLOUD_EVENT_TYPE, cloud_event
from wasm_grpc.invocation.response import Response
from wasm_grpc.manifest.templates import TemplateError, fill
from wasm_grpc.manifest.triggers import PublishOutput, Then

__all__ = ["Cause", "Output", "Outputs", "Publisher"]


class Publisher(Protocol):
    """
    Something that publishes messages: the sidecar.
    """

    async def publish(self, pubsub: str, topic: str, data: bytes, content_type: str) -> None:
        """
        See `Sidecar.publish`.
        """
        ...


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
    The destination of one result, and the cause of its invocation.
    """

    then: Then
    cause: Cause


class Outputs:
    """
    Sends results to the destination that a trigger names. Safe for concurrent calls.
    """

    def __init__(self, publisher: Publisher | None, *, app_id: str) -> None:
        """
        Send through a sidecar.

        Args:
            publisher: The sidecar; None if none is configured.
            app_id: This app's id, for the ``source`` of events.
        """
        self._publisher = publisher
        self._app_id = app_id

    async def send(self, output: Output, response: Response) -> None:
        """
        Send a result. Returns once Dapr has accepted it.

        Raises:
            InvocationError: THEN_UNAVAILABLE if no sidecar can be reached, else THEN_FAILED.
        """
        publish, name = output.then.publish, output.cause.function
        if publish is None:
            raise ValueError("state and binding are refused before anything is served")
        try:
            await self._publish(publish, response, output.cause)
        except InvocationError as exc:
            raise InvocationError(exc.reason, f"function '{name}': {exc}", function=name) from exc

    async def _publish(self, output: PublishOutput, response: Response, cause: Cause) -> None:
        if self._publisher is None:
            raise InvocationError(
                Reason.THEN_UNAVAILABLE,
                "its result could not be published: no sidecar is configured; expected DAPR_GRPC_PORT",
            )
        pubsub, topic = (_filled(text, response, cause) for text in (output.pubsub, output.topic))
        # A relative URI reference, which CloudEvents allows as a source.
        source = f"wasm-grpc/{self._app_id}/{cause.function}"
        event = cloud_event(response.body, response.content_type, source=source, trace=cause.trace)
        await self._publisher.publish(pubsub, topic, event, CLOUD_EVENT_TYPE)


def _filled(template: str, response: Response, cause: Cause) -> str:
    values = {
        "id": cause.id,
        "subject": cause.subject,
        "method": cause.method,
        "name": cause.name or cause.function,
    }
    try:
        return fill(template, values, lambda: response.body)
    except TemplateError as exc:
        raise InvocationError(Reason.THEN_FAILED, f"its result could not be published: {exc}") from exc
