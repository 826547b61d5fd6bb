"""Input bindings: the calls that list them and deliver their events."""

from __future__ import annotations

from dapr.proto.runtime.v1 import appcallback_pb2 as pb
from google.protobuf import empty_pb2

from wasm_grpc.dapr.events import binding_event
from wasm_grpc.invocation.deployment import Deployment
from wasm_grpc.invocation.outcomes import Verdict
from wasm_grpc.invocation.runner import Runner
from wasm_grpc.invocation.triggers.binding import KIND, Bindings
from wasm_grpc.manifest.triggers import Fanout
from wasm_grpc.server.calls import Calls
from wasm_grpc.server.failures import Context

__all__ = ["BindingCalls"]

_CONCURRENCIES = {
    Fanout.SEQUENTIAL: pb.BindingEventResponse.SEQUENTIAL,
    Fanout.PARALLEL: pb.BindingEventResponse.PARALLEL,
}


class BindingCalls:
    """
    Serve the events of input bindings.
    """

    def __init__(self, deployment: Deployment, runner: Runner, calls: Calls) -> None:
        self._deployment = deployment
        self._bindings = Bindings(deployment, runner)
        self._calls = calls

    async def ListInputBindings(
        self, request: empty_pb2.Empty, context: Context
    ) -> pb.ListInputBindingsResponse:
        """
        Return the functions' bindings. daprd asks once in its lifetime, and sends no token.
        """
        named = self._deployment.catalogue.named
        return pb.ListInputBindingsResponse(bindings=[name for kind, name in named if kind == KIND])

    async def OnBindingEvent(
        self, request: pb.BindingEventRequest, context: Context
    ) -> pb.BindingEventResponse:
        """
        Run the function that receives the event.

        An event to be retried is an error, which daprd hands to the component. One that is dropped is
        answered like a success, but without a result.
        """
        async with self._calls.event(context, "OnBindingEvent") as call:
            receiver = self._bindings.find(request.name)
            if receiver is None:
                await call.refuse(f"binding '{request.name}': no function receives it")
            delivered = await self._bindings.receive(binding_event(request), call.metadata, receiver)
            if delivered.verdict is Verdict.RETRY:
                await call.retry(str(delivered.error or "internal error"))
            if delivered.result is None:
                return pb.BindingEventResponse()
            return pb.BindingEventResponse(
                data=delivered.result.body,
                to=receiver.trigger.to,
                concurrency=_CONCURRENCIES[receiver.trigger.concurrency],
            )
