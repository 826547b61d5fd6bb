"""Send results where a trigger's ``then`` says, besides the reply."""

from __future__ import annotations

from typing import Protocol

from wasm_grpc.core.errors import InvocationError
from wasm_grpc.core.model import Reason, Trace
from wasm_grpc.invocation.output_requests import Output, OutputRequest, output_requests
from wasm_grpc.invocation.response import Response

__all__ = ["Outputs", "Sender"]


class Sender(Protocol):
    """
    Something that does what Dapr is asked for: the sidecar.
    """

    async def send(self, request: OutputRequest, trace: Trace) -> None:
        """
        Make a request. Returns once Dapr has accepted it.

        Args:
            request: The request.
            trace: The trace that it belongs to.

        Raises:
            InvocationError: THEN_UNAVAILABLE if Dapr can't be reached, else THEN_FAILED.
        """
        ...


class Outputs:
    """
    Sends results to the destinations that a trigger names. Safe for concurrent calls.
    """

    def __init__(self, sender: Sender | None, *, app_id: str) -> None:
        """
        Send through a sidecar.

        Args:
            sender: The sidecar; None if none is configured.
            app_id: This app's id, for the ``source`` of events.
        """
        self._sender = sender
        self._app_id = app_id

    async def send(self, output: Output, response: Response) -> None:
        """
        Send a result to each destination, in order. Returns once Dapr has accepted it everywhere.

        All templates are filled in before anything is sent. The first destination that fails ends it: those
        before it keep the result, and those after it don't get it.

        Raises:
            InvocationError: THEN_UNAVAILABLE if no sidecar can be reached, else THEN_FAILED.
        """
        name = output.cause.function
        try:
            requests = output_requests(output, response, app_id=self._app_id)
            await _send_in_order(self._sender, requests, output.cause.trace)
        except InvocationError as exc:
            raise InvocationError(exc.reason, f"function '{name}': {exc}", function=name) from exc


async def _send_in_order(sender: Sender | None, requests: list[OutputRequest], trace: Trace) -> None:
    if sender is None:
        raise InvocationError(
            Reason.THEN_UNAVAILABLE,
            "its result could not be sent on: no sidecar is configured; expected DAPR_GRPC_PORT",
        )
    for number, request in enumerate(requests, 1):
        try:
            await sender.send(request, trace)
        except InvocationError as exc:
            if number == 1:
                raise
            before = " and ".join(map(str, requests[: number - 1]))
            raise InvocationError(exc.reason, f"{exc}; it was {before} before") from exc
