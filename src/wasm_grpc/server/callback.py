"""The three services that daprd calls: ``AppCallback``, ``AppCallbackAlpha``, ``AppCallbackHealthCheck``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import grpc
from dapr.proto.runtime.v1 import appcallback_pb2 as pb
from dapr.proto.runtime.v1 import appcallback_pb2_grpc as services
from google.protobuf import empty_pb2

from wasm_grpc.invocation.deployment import Deployment
from wasm_grpc.invocation.runner import Runner
from wasm_grpc.server.calls import Calls
from wasm_grpc.server.failures import Context
from wasm_grpc.server.gate import Gate
from wasm_grpc.server.triggers.binding import BindingCalls
from wasm_grpc.server.triggers.invoke import InvokeCalls
from wasm_grpc.server.triggers.job import JobCalls
from wasm_grpc.server.triggers.topic import TopicCalls

__all__ = ["AppCallback", "add_callbacks"]

_TRIGGERS: Sequence[Callable[[Deployment, Runner, Calls], object]] = (
    InvokeCalls,
    TopicCalls,
    BindingCalls,
    JobCalls,
)
"""What serves the calls of each trigger. Its public methods bear the calls' names."""

_WITHOUT_TOKEN = frozenset(("HealthCheck", "ListInputBindings", "ListTopicSubscriptions"))
"""daprd sends no token with these. Their messages are empty."""
_INVOCATION = "OnInvoke"
"""All others deliver events."""
_ALPHA = "Alpha1"


class AppCallback(
    services.AppCallbackServicer,
    services.AppCallbackAlphaServicer,
    services.AppCallbackHealthCheckServicer,
):
    """
    Serve every call that daprd makes to an app.

    The calls of `_TRIGGERS` are served there, and all others here. Every method is implemented: the
    generated default answers UNIMPLEMENTED, which daprd takes for an acknowledgement of an event, and the
    message is lost.
    """

    def __init__(self, deployment: Deployment, runner: Runner, calls: Calls) -> None:
        """
        Serve one app.

        Args:
            deployment: The functions and the routes to them.
            runner: Runs them.
            calls: Lets the calls in.
        """
        self._calls = calls
        for trigger in _TRIGGERS:
            served = trigger(deployment, runner, calls)
            for name in dir(served):
                if not name.startswith("_"):
                    setattr(self, name, getattr(served, name))

    async def HealthCheck(self, request: empty_pb2.Empty, context: Context) -> pb.HealthCheckResponse:
        """
        Answer at once: the event loop runs, and the pool replaces dead workers. daprd sends no token here.
        """
        return pb.HealthCheckResponse()


def add_callbacks(callback: AppCallback, gate: Gate, calls: Calls) -> None:
    """
    Serve all three services. If one is missing, daprd treats its messages as refused.
    """
    registry = _Registry(gate, calls)
    services.add_AppCallbackServicer_to_server(callback, registry)
    services.add_AppCallbackAlphaServicer_to_server(callback, registry)
    services.add_AppCallbackHealthCheckServicer_to_server(callback, registry)


class _Registry:
    """
    Takes what the generated code registers at a server.
    """

    def __init__(self, gate: Gate, calls: Calls) -> None:
        self._gate = gate
        self._calls = calls

    def add_generic_rpc_handlers(self, handlers: object) -> None:
        """
        Ignore them: they are registered by their names as well.
        """

    def add_registered_method_handlers(
        self, service: str, handlers: Mapping[str, grpc.RpcMethodHandler[Any, Any]]
    ) -> None:
        """
        Serve each method.
        """
        for name, handler in handlers.items():
            admission = None
            if name not in _WITHOUT_TOKEN:
                call = name.removesuffix(_ALPHA)
                admission = self._calls.admission(call, is_event=call != _INVOCATION)
            self._gate.add(f"/{service}/{name}", handler, admission)
