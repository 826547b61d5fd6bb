"""Where results go beside the reply: the ``then`` of a trigger, carried out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from wasm_grpc.core.errors import InvocationError
from wasm_grpc.core.model import Reason
from wasm_grpc.invocation.cloud_event import CLOUD_EVENT_TYPE, Trace, cloud_event
from wasm_grpc.invocation.response import Response
from wasm_grpc.manifest.templates import TemplateError, fill
from wasm_grpc.manifest.triggers import PublishOutput, Then

__all__ = ["Cause", "Output", "Outputs", "Publisher"]


class Publisher(Protocol):
    """
    What publishes messages: the sidecar.
    """

    async def publish(self, pubsub: str, topic: str, data: bytes, content_type: str) -> None:
        """
        See `Sidecar.publish`.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """
    What a function was called by: what its templates and its results' trace are taken from.

    Attributes:
        id: Of the event, else of the invocation.
        subject: Of the event, or "".
        method: That was called, or "".
        name: The function's.
        trace: The caller's.
    """

    id: str
    subject: str = ""
    method: str = ""
    name: str
    trace: Trace


@dataclass(frozen=True, slots=True)
class Output:
    """
    Where one result is to go, and what it was caused by.
    """

    then: Then
    cause: Cause


class Outputs:
    """
    Sends results where a trigger says; calls may run side by side.
    """

    def __init__(self, publisher: Publisher | None, *, app_id: str) -> None:
        """
        Send through a sidecar.

        Args:
            publisher: The sidecar; None where none is configured.
            app_id: Of this app, for the events' source.
        """
        self._publisher = publisher
        self._app_id = app_id

    async def send(self, output: Output, response: Response) -> None:
        """
        Send a result; done when Dapr has taken it.

        Raises:
            InvocationError: THEN_UNAVAILABLE where there is no sidecar to take it, else THEN_FAILED.
        """
        publish, name = output.then.publish, output.cause.name
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
        source = f"wasm-grpc/{self._app_id}/{cause.name}"
        event = cloud_event(response.body, response.content_type, source=source, trace=cause.trace)
        await self._publisher.publish(pubsub, topic, event, CLOUD_EVENT_TYPE)


def _filled(template: str, response: Response, cause: Cause) -> str:
    values = {"id": cause.id, "subject": cause.subject, "method": cause.method, "name": cause.name}
    try:
        return fill(template, values, lambda: response.body)
    except TemplateError as exc:
        raise InvocationError(Reason.THEN_FAILED, f"its result could not be published: {exc}") from exc
