"""The three services that daprd calls: ``AppCallback``, ``AppCallbackAlpha``, ``AppCallbackHealthCheck``."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import NoReturn

import grpc
from dapr.proto.common.v1 import common_pb2
from dapr.proto.runtime.v1 import appcallback_pb2 as pb
from dapr.proto.runtime.v1 import appcallback_pb2_grpc as services
from google.protobuf import empty_pb2

from wasm_grpc.core.errors import InvocationError
from wasm_grpc.core.model import Reason
from wasm_grpc.core.observers import Observers, RequestRefused
from wasm_grpc.dapr.events import bulk_events, topic_event
from wasm_grpc.dapr.subscriptions import subscriptions_response
from wasm_grpc.invocation.deployment import Deployment
from wasm_grpc.invocation.outcomes import Verdict
from wasm_grpc.invocation.triggers.invoke import Invoker, Request
from wasm_grpc.invocation.triggers.topic import Consumer
from wasm_grpc.server.answers import Answers
from wasm_grpc.server.failures import INVOCATION_ID_KEY, Context, abort, internal_error
from wasm_grpc.server.token import TokenCheck

__all__ = ["AppCallback", "add_callbacks"]

_log = logging.getLogger("wasm_grpc.server")

_STATUSES = {
    Verdict.SUCCESS: pb.TopicEventResponse.SUCCESS,
    Verdict.RETRY: pb.TopicEventResponse.RETRY,
    Verdict.DROP: pb.TopicEventResponse.DROP,
}
# Unknown numbers and NONE become "", which counts as POST.
_VERBS = {number: name for name, number in common_pb2.HTTPExtension.Verb.items() if name != "NONE"}


class AppCallback(
    services.AppCallbackServicer,
    services.AppCallbackAlphaServicer,
    services.AppCallbackHealthCheckServicer,
):
    """
    Serve every call that daprd makes to an app.

    Every method is implemented. The generated default answers UNIMPLEMENTED, which daprd takes for an
    acknowledgement of an event, and the message is lost.
    """

    def __init__(
        self,
        invoker: Invoker,
        consumer: Consumer,
        deployment: Deployment,
        answers: Answers,
        observers: Observers,
        *,
        token: str,
        is_event_token_checked: bool,
    ) -> None:
        """
        Serve one app.

        Args:
            invoker: Runs service invocations.
            consumer: Consumes messages of topics.
            deployment: The functions and their subscriptions.
            answers: Tracks unanswered calls.
            observers: Learn of refused calls.
            token: This app's API token; empty turns the check off.
            is_event_token_checked: Require it on event calls too; daprd before 1.16.2 sends none there.
        """
        self._invoker = invoker
        self._consumer = consumer
        self._deployment = deployment
        self._answers = answers
        self._observers = observers
        self._token = TokenCheck(token, observers)
        self._event_token = TokenCheck(token if is_event_token_checked else "", observers)

    async def OnInvoke(
        self, request: common_pb2.InvokeRequest, context: Context
    ) -> common_pb2.InvokeResponse:
        """
        Run the function of a service invocation.
        """
        self._answers.expect(context)
        invocation_id = self._invoker.next_id()
        try:
            metadata = context.invocation_metadata() or ()
            self._token.check(metadata, "OnInvoke")
            http = request.http_extension
            response = await self._invoker.invoke(
                Request(
                    method=request.method,
                    verb=_VERBS.get(http.verb, ""),
                    query=http.querystring,
                    content_type=request.content_type,
                    body=request.data.value,
                    metadata=metadata,
                ),
                invocation_id,
            )
        except InvocationError as exc:
            await abort(context, exc, invocation_id)
        except Exception:  # noqa: BLE001 - the edge
            # The last place to catch a bug of ours: gRPC would send its text to the caller.
            await abort(context, internal_error(invocation_id), invocation_id)
        # The id is sent only if the log has lines of this invocation: initial metadata of its own costs
        # 8 % of the throughput (RATIONALE.md).
        if response.has_log or response.headers:
            own = ((INVOCATION_ID_KEY, invocation_id),) if response.has_log else ()
            await context.send_initial_metadata((*response.headers, *own))
        message = common_pb2.InvokeResponse(content_type=response.content_type)
        # Set in place: passing a separate Any would copy the body once more.
        message.data.value = response.body
        return message

    async def ListTopicSubscriptions(
        self, request: empty_pb2.Empty, context: Context
    ) -> pb.ListTopicSubscriptionsResponse:
        """
        Return the functions' subscriptions. daprd asks once in its lifetime, and sends no token.
        """
        return subscriptions_response(self._deployment.catalogue.subscriptions.values())

    async def ListInputBindings(
        self, request: empty_pb2.Empty, context: Context
    ) -> pb.ListInputBindingsResponse:
        """
        Return no bindings: this version can't run functions on binding events.
        """
        return pb.ListInputBindingsResponse()

    async def OnTopicEvent(self, request: pb.TopicEventRequest, context: Context) -> pb.TopicEventResponse:
        """
        Run the function that receives the message. A failed invocation becomes a status, not a gRPC error.
        """
        metadata = await self._event_metadata(context, "OnTopicEvent")
        verdict = await self._consumer.consume(topic_event(request), metadata)
        return pb.TopicEventResponse(status=_STATUSES[verdict])

    async def OnBulkTopicEvent(
        self, request: pb.TopicEventBulkRequest, context: Context
    ) -> pb.TopicEventBulkResponse:
        """
        Handle a batch of messages. Every entry gets a status, since daprd retries entries without one.
        """
        metadata = await self._event_metadata(context, "OnBulkTopicEvent")
        verdicts = await self._consumer.consume_batch(bulk_events(request), metadata)
        return pb.TopicEventBulkResponse(
            statuses=[
                pb.TopicEventBulkResponseEntry(entry_id=entry.entry_id, status=_STATUSES[verdict])
                for entry, verdict in zip(request.entries, verdicts, strict=True)
            ]
        )

    async def OnBulkTopicEventAlpha1(
        self, request: pb.TopicEventBulkRequest, context: Context
    ) -> pb.TopicEventBulkResponse:
        """
        Handle `OnBulkTopicEvent` under its name before daprd 1.17.
        """
        return await self.OnBulkTopicEvent(request, context)

    async def OnBindingEvent(
        self, request: pb.BindingEventRequest, context: Context
    ) -> pb.BindingEventResponse:
        """
        Refuse the event, so that the binding component delivers it again.
        """
        await self._event_metadata(context, "OnBindingEvent")
        await self._refuse(context, f"binding '{request.name}': no function receives it")

    async def OnJobEvent(self, request: pb.JobEventRequest, context: Context) -> pb.JobEventResponse:
        """
        Refuse the job, so that its failure policy applies. daprd would take NOT_FOUND for success.
        """
        await self._event_metadata(context, "OnJobEvent")
        await self._refuse(context, f"job '{request.name}': no function receives it")

    async def OnJobEventAlpha1(self, request: pb.JobEventRequest, context: Context) -> pb.JobEventResponse:
        """
        Handle `OnJobEvent` under its name before daprd 1.18.
        """
        return await self.OnJobEvent(request, context)

    async def HealthCheck(self, request: empty_pb2.Empty, context: Context) -> pb.HealthCheckResponse:
        """
        Answer at once: the event loop runs, and the pool replaces dead workers. daprd sends no token here.
        """
        return pb.HealthCheckResponse()

    async def _event_metadata(self, context: Context, call: str) -> Sequence[tuple[str, str | bytes]]:
        """
        Check an event call's token and return the call's metadata.
        """
        self._answers.expect(context)
        metadata = tuple(context.invocation_metadata() or ())
        try:
            self._event_token.check(metadata, call)
        except InvocationError as exc:
            await abort(context, exc, "")
        return metadata

    async def _refuse(self, context: Context, message: str) -> NoReturn:
        _log.warning("%s; the event is to be retried", message)
        if RequestRefused in self._observers:
            self._observers.tell(RequestRefused(reason=Reason.UNKNOWN_METHOD))
        # Not UNIMPLEMENTED or NOT_FOUND, each of which daprd takes for success in some of these calls.
        await context.abort(grpc.StatusCode.FAILED_PRECONDITION, message)
        raise AssertionError("abort returned")


def add_callbacks(callback: AppCallback, server: grpc.aio.Server) -> None:
    """
    Register all three services. If one is missing, daprd treats its messages as refused.
    """
    services.add_AppCallbackServicer_to_server(callback, server)
    services.add_AppCallbackAlphaServicer_to_server(callback, server)
    services.add_AppCallbackHealthCheckServicer_to_server(callback, server)
