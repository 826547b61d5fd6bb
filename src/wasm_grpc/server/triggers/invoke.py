"""Service invocation: the call ``OnInvoke``."""

from __future__ import annotations

from dapr.proto.common.v1 import common_pb2

from wasm_grpc.invocation.deployment import Deployment
from wasm_grpc.invocation.runner import Runner
from wasm_grpc.invocation.triggers.invoke import Invoker, Request
from wasm_grpc.server.calls import Calls
from wasm_grpc.server.failures import INVOCATION_ID_KEY, Context

__all__ = ["InvokeCalls"]

# Unknown numbers and NONE become "", which counts as POST.
_VERBS = {number: name for name, number in common_pb2.HTTPExtension.Verb.items() if name != "NONE"}


class InvokeCalls:
    """
    Serve invocations of methods.
    """

    def __init__(self, deployment: Deployment, runner: Runner, calls: Calls) -> None:
        self._invoker = Invoker(deployment, runner)
        self._calls = calls

    async def OnInvoke(
        self, request: common_pb2.InvokeRequest, context: Context
    ) -> common_pb2.InvokeResponse:
        """
        Run the function of a service invocation.
        """
        invocation_id = self._invoker.next_id()
        async with self._calls.invocation(context, "OnInvoke", invocation_id) as call:
            http = request.http_extension
            response = await self._invoker.invoke(
                Request(
                    method=request.method,
                    verb=_VERBS.get(http.verb, ""),
                    query=http.querystring,
                    content_type=request.content_type,
                    body=request.data.value,
                    metadata=call.metadata,
                ),
                invocation_id,
            )
        # The id is sent only if the log has lines of this invocation: initial metadata of its own costs
        # 8 % of the throughput (RATIONALE.md).
        if response.has_log or response.headers:
            own = ((INVOCATION_ID_KEY, invocation_id),) if response.has_log else ()
            await context.send_initial_metadata((*response.headers, *own))
        message = common_pb2.InvokeResponse(content_type=response.content_type)
        # Set in place: passing a separate Any would copy the body once more.
        message.data.value = response.body
        return message
