"""
The development sidecar: service invocation, publish and state between the apps of one machine.

It has no tokens, retries, routing rules, bulk delivery or persistence. Use it only to try out functions,
and daprd for everything else. What it does, it does like daprd: one table of tests runs against both.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping
from typing import Any, NoReturn

import grpc
from dapr.proto.common.v1 import common_pb2
from dapr.proto.runtime.v1 import appcallback_pb2 as pb
from dapr.proto.runtime.v1 import (
    appcallback_pb2_grpc,
    dapr_pb2_grpc,
    invoke_pb2,
    metadata_pb2,
    pubsub_pb2,
    state_pb2,
)
from google.protobuf import empty_pb2

from wasm_grpc.devsidecar.events import event_of, topic_request
from wasm_grpc.devsidecar.state import (
    EtagError,
    EtagMismatchError,
    FirstWriteError,
    InvalidEtagError,
    State,
)

__all__ = ["open_dev_sidecars"]

_log = logging.getLogger("wasm_grpc.devsidecar")

_Context = grpc.aio.ServicerContext[Any, Any]
_OPTIONS = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))
_NOT_FORWARDED = frozenset({"user-agent", "dapr-api-token", "dapr-app-id"})
"""Metadata of a caller that is not forwarded: gRPC's own, and keys that daprd consumes."""
_ETAG_CODES = {
    EtagMismatchError: grpc.StatusCode.ABORTED,
    InvalidEtagError: grpc.StatusCode.INVALID_ARGUMENT,
    # With Redis, daprd tells this from no other error.
    FirstWriteError: grpc.StatusCode.INTERNAL,
}


class _Machine:
    """
    The state that the sidecars share: a channel to each app that can be called, and the stored values.
    """

    def __init__(self, channels: Mapping[str, grpc.aio.Channel]) -> None:
        self.apps = {
            app_id: appcallback_pb2_grpc.AppCallbackStub(channel) for app_id, channel in channels.items()
        }
        self.state = State()
        self._subscriptions: dict[str, pb.ListTopicSubscriptionsResponse] = {}
        self._deliveries: set[asyncio.Task[None]] = set()

    async def publish(self, event: Mapping[str, Any]) -> None:
        """
        Start to deliver an event to each app that subscribes to its topic.
        """
        for app_id, app in self.apps.items():
            if app_id not in self._subscriptions:
                # Ask an app that is not up yet again with the next message.
                with contextlib.suppress(grpc.aio.AioRpcError):
                    self._subscriptions[app_id] = await app.ListTopicSubscriptions(empty_pb2.Empty())
            for each in getattr(self._subscriptions.get(app_id), "subscriptions", ()):
                if (each.pubsub_name, each.topic) == (event["pubsubname"], event["topic"]):
                    delivery = asyncio.create_task(self._deliver(app, each, event))
                    self._deliveries.add(delivery)
                    delivery.add_done_callback(self._deliveries.discard)

    async def _deliver(
        self,
        app: appcallback_pb2_grpc.AppCallbackStub,
        subscription: pb.TopicSubscription,
        event: Mapping[str, Any],
    ) -> None:
        if not subscription.routes.default:
            _log.warning("topic %s: the development sidecar has no routing rules", event["topic"])
            return
        status = pb.TopicEventResponse.RETRY
        with contextlib.suppress(grpc.aio.AioRpcError):
            status = (await app.OnTopicEvent(topic_request(event, path=subscription.routes.default))).status
        if status != pb.TopicEventResponse.SUCCESS and subscription.dead_letter_topic:
            await self.publish({**event, "topic": subscription.dead_letter_topic})

    async def aclose(self) -> None:
        """
        Cancel running deliveries.
        """
        for delivery in self._deliveries:
            delivery.cancel()
        await asyncio.gather(*self._deliveries, return_exceptions=True)


class _Sidecar(dapr_pb2_grpc.DaprServicer):
    """
    One app's sidecar. Other methods of the API return UNIMPLEMENTED.
    """

    def __init__(self, machine: _Machine, app_id: str) -> None:
        self._machine = machine
        self._app_id = app_id

    async def InvokeService(
        self, request: invoke_pb2.InvokeServiceRequest, context: _Context
    ) -> common_pb2.InvokeResponse:
        """
        Call another app's method, and return its response or its status.
        """
        app = self._machine.apps.get(request.id)
        if app is None:
            message = f"failed to invoke, id: {request.id}, err: no host found with the given ID"
            await _abort(context, grpc.StatusCode.INTERNAL, message)
        metadata = [
            (key, value)
            for key, value in context.invocation_metadata() or ()
            if key not in _NOT_FORWARDED and not key.startswith(("grpc-", ":"))
        ]
        metadata += [("dapr-caller-app-id", self._app_id), ("dapr-callee-app-id", request.id)]
        call = app.OnInvoke(request.message, metadata=metadata)
        try:
            response: common_pb2.InvokeResponse = await call
        except grpc.aio.AioRpcError as exc:
            # Like daprd, forward the metadata of a failure too: the invocation id and the error details.
            await context.send_initial_metadata(exc.initial_metadata())
            await context.abort(exc.code(), exc.details() or "", tuple(exc.trailing_metadata()))
        await context.send_initial_metadata(await call.initial_metadata())
        return response

    async def PublishEvent(
        self, request: pubsub_pb2.PublishEventRequest, context: _Context
    ) -> empty_pb2.Empty:
        """
        Publish to every subscribed app, without waiting for delivery.
        """
        place = {"pubsubname": request.pubsub_name, "topic": request.topic}
        try:
            event = event_of(request.data, request.data_content_type, source=self._app_id)
        except ValueError as exc:
            await _abort(context, grpc.StatusCode.INVALID_ARGUMENT, f"not a CloudEvent in JSON: {exc}")
        await self._machine.publish({**event, **place})
        return empty_pb2.Empty()

    async def GetState(self, request: state_pb2.GetStateRequest, _: _Context) -> state_pb2.GetStateResponse:
        """
        Return a value and its etag, both empty if the key doesn't exist.
        """
        stored = self._machine.state.get((self._app_id, request.store_name, request.key))
        if stored is None:
            return state_pb2.GetStateResponse()
        return state_pb2.GetStateResponse(data=stored.data, etag=str(stored.version))

    async def SaveState(self, request: state_pb2.SaveStateRequest, context: _Context) -> empty_pb2.Empty:
        """
        Store values, up to the first that can't be stored because of its etag.
        """
        for item in request.states:
            place = (self._app_id, request.store_name, item.key)
            try:
                self._machine.state.save(
                    place, item.value, etag=item.etag.value, concurrency=item.options.concurrency
                )
            except EtagError as exc:
                message = f"failed saving state in state store {request.store_name}: {exc}"
                await _abort(context, _ETAG_CODES[type(exc)], message)
        return empty_pb2.Empty()

    async def DeleteState(self, request: state_pb2.DeleteStateRequest, context: _Context) -> empty_pb2.Empty:
        """
        Delete a value, unless it has another etag. A missing key is not an error.
        """
        try:
            self._machine.state.delete(
                (self._app_id, request.store_name, request.key), etag=request.etag.value
            )
        except EtagError as exc:
            message = f"failed deleting state with key {request.key}: {exc}"
            await _abort(context, _ETAG_CODES[type(exc)], message)
        return empty_pb2.Empty()

    async def GetMetadata(
        self, _: metadata_pb2.GetMetadataRequest, __: _Context
    ) -> metadata_pb2.GetMetadataResponse:
        """
        Return this sidecar's app id.
        """
        return metadata_pb2.GetMetadataResponse(id=self._app_id, runtime_version="development")


async def _abort(context: _Context, code: grpc.StatusCode, message: str) -> NoReturn:
    await context.abort(code, message)
    raise AssertionError("abort returned")


@contextlib.asynccontextmanager
async def open_dev_sidecars(
    apps: Mapping[str, str], *, ports: Mapping[str, int] | None = None
) -> AsyncIterator[Mapping[str, str]]:
    """
    Run a sidecar for each app on loopback, and yield their gRPC addresses by app id.

    Args:
        apps: The address of each app's gRPC server by app id; "" for an app that only calls others. The
            servers may start later.
        ports: The port of each sidecar by app id; any free one for the others.
    """
    async with contextlib.AsyncExitStack() as stack:
        channels = {
            app_id: await stack.enter_async_context(grpc.aio.insecure_channel(address, options=_OPTIONS))
            for app_id, address in apps.items()
            if address
        }
        machine = _Machine(channels)
        stack.push_async_callback(machine.aclose)
        addresses: dict[str, str] = {}
        for app_id in apps:
            server = grpc.aio.server(options=_OPTIONS)
            dapr_pb2_grpc.add_DaprServicer_to_server(_Sidecar(machine, app_id), server)
            port = server.add_insecure_port(f"127.0.0.1:{(ports or {}).get(app_id, 0)}")
            addresses[app_id] = f"127.0.0.1:{port}"
            await server.start()
            stack.push_async_callback(server.stop, None)
        yield addresses
