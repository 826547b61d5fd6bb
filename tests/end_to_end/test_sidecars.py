"""What an app sees of its sidecar: the development sidecar does what a real daprd does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
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
from google.protobuf import any_pb2, empty_pb2, json_format
from google.rpc import status_pb2

from rig import Daprd, redis
from wasm_grpc.devsidecar.sidecar import open_dev_sidecars

__all__ = ["sidecar"]

pytestmark = pytest.mark.asyncio(loop_scope="module")

DETAILS = "grpc-status-details-bin"
STATUS = status_pb2.Status(code=5, message="no such thing", details=[any_pb2.Any(type_url="t/x", value=b"y")])
PNG = {"datacontenttype": "image/png", "data_base64": "iVBORw=="}


class Recorder(appcallback_pb2_grpc.AppCallbackServicer):
    """An app that keeps what it was called with."""

    def __init__(self) -> None:
        self.invocations: asyncio.Queue[tuple[common_pb2.InvokeRequest, dict[str, str | bytes]]] = (
            asyncio.Queue()
        )
        self.events: asyncio.Queue[pb.TopicEventRequest] = asyncio.Queue()

    async def OnInvoke(self, request: common_pb2.InvokeRequest, context: Any) -> common_pb2.InvokeResponse:
        """Echo, or fail with a status, details and headers."""
        self.invocations.put_nowait((request, dict(context.invocation_metadata())))
        await context.send_initial_metadata((("x-answer", "header"),))
        if request.method == "fail":
            await context.abort(
                grpc.StatusCode.NOT_FOUND, "no such thing", ((DETAILS, STATUS.SerializeToString()),)
            )
        return common_pb2.InvokeResponse(data=request.data, content_type="text/x-echo")

    async def ListTopicSubscriptions(
        self, request: empty_pb2.Empty, context: Any
    ) -> pb.ListTopicSubscriptionsResponse:
        """Subscribe to a topic with a dead letter, and to the dead letter."""
        topics = [
            pb.TopicSubscription(
                pubsub_name="pubsub",
                topic=topic,
                routes=pb.TopicRoutes(default=f"path/{topic}"),
                dead_letter_topic=dead,
            )
            for topic, dead in (("in", "dead"), ("dead", ""))
        ]
        return pb.ListTopicSubscriptionsResponse(subscriptions=topics)

    async def ListInputBindings(self, request: empty_pb2.Empty, context: Any) -> pb.ListInputBindingsResponse:
        """Take no binding."""
        return pb.ListInputBindingsResponse()

    async def OnTopicEvent(self, request: pb.TopicEventRequest, context: Any) -> pb.TopicEventResponse:
        """Keep an event, and drop it where it asks for that."""
        self.events.put_nowait(request)
        is_dropped = request.topic == "in" and request.data == b"drop"
        return pb.TopicEventResponse(
            status=pb.TopicEventResponse.DROP if is_dropped else pb.TopicEventResponse.SUCCESS
        )


@dataclass(frozen=True)
class Sidecars:
    """The sidecars of two apps, one of which only calls."""

    caller: dapr_pb2_grpc.DaprStub
    own: dapr_pb2_grpc.DaprStub
    recorder: Recorder

    async def publish(self, data: bytes, content_type: str) -> pb.TopicEventRequest:
        """Publish to the topic, and return the event as the app got it."""
        request = pubsub_pb2.PublishEventRequest(
            pubsub_name="pubsub", topic="in", data=data, data_content_type=content_type
        )
        await self.own.PublishEvent(request)
        return await asyncio.wait_for(self.recorder.events.get(), 5)


@asynccontextmanager
async def development(app_port: int, _: Path) -> AsyncIterator[tuple[str, str]]:
    """Run our own sidecars, and yield the addresses of the caller's and of the app's."""
    apps = {"recorder": f"127.0.0.1:{app_port}", "caller": ""}
    async with open_dev_sidecars(apps) as addresses:
        yield addresses["caller"], addresses["recorder"]


@asynccontextmanager
async def daprd(app_port: int, folder: Path) -> AsyncIterator[tuple[str, str]]:
    """Run two real ones; the app's has a broker and a store."""
    resources = folder / "resources"
    resources.mkdir()
    async with redis(folder) as host:
        in_redis = {"redisHost": host, "redisPassword": ""}
        for name, kind, settings in (("pubsub", "pubsub.in-memory", {}), ("store", "state.redis", in_redis)):
            component = {
                "apiVersion": "dapr.io/v1alpha1",
                "kind": "Component",
                "metadata": {"name": name},
                "spec": {
                    "type": kind,
                    "version": "v1",
                    "metadata": [{"name": key, "value": value} for key, value in settings.items()],
                },
            }
            (resources / f"{name}.yaml").write_text(json.dumps(component))
        app = Daprd(app_id="recorder", folder=folder, app_port=app_port, resources=resources)
        async with app, Daprd(app_id="caller", folder=folder) as caller:
            await app.app_ready()
            yield caller.grpc_address, app.grpc_address


@pytest_asyncio.fixture(
    scope="module", loop_scope="module", params=[development, daprd], ids=["development", "daprd"]
)
async def sidecar(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Sidecars]:
    """Run the app, and each kind of sidecars in turn."""
    recorder = Recorder()
    server = grpc.aio.server()
    appcallback_pb2_grpc.add_AppCallbackServicer_to_server(recorder, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with (
        request.param(port, tmp_path_factory.mktemp("sidecar")) as (caller, own),
        grpc.aio.insecure_channel(caller) as to_caller,
        grpc.aio.insecure_channel(own) as to_own,
    ):
        yield Sidecars(dapr_pb2_grpc.DaprStub(to_caller), dapr_pb2_grpc.DaprStub(to_own), recorder)
    await server.stop(None)


def call(method: str) -> invoke_pb2.InvokeServiceRequest:
    """Return a call with all that a call may have."""
    message = common_pb2.InvokeRequest(
        method=method,
        data=any_pb2.Any(value=b"body"),
        content_type="text/plain",
        http_extension=common_pb2.HTTPExtension(verb=common_pb2.HTTPExtension.PUT, querystring="a=1&b"),
    )
    return invoke_pb2.InvokeServiceRequest(id="recorder", message=message)


async def test_a_call_and_its_answer(sidecar: Sidecars) -> None:
    """The request reaches the app whole, the caller's metadata too, and the answer comes back with its headers."""
    metadata = (("x-mine", "1"),)

    answer = sidecar.caller.InvokeService(call("echo"), metadata=metadata)
    response = await answer
    request, seen = sidecar.recorder.invocations.get_nowait()

    assert request == call("echo").message
    assert (response.data.value, response.content_type) == (b"body", "text/x-echo")
    assert dict(await answer.initial_metadata())["x-answer"] == "header"
    callers = (seen["dapr-caller-app-id"], seen["dapr-callee-app-id"])
    assert (seen["x-mine"], callers) == ("1", ("caller", "recorder"))


async def test_a_failure_comes_back(sidecar: Sidecars) -> None:
    """The app's code, message and details are what its caller gets."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await sidecar.caller.InvokeService(call("fail"))
    sidecar.recorder.invocations.get_nowait()

    (details,) = [value for key, value in caught.value.trailing_metadata() if key == DETAILS]
    assert isinstance(details, bytes)
    status = status_pb2.Status.FromString(details)
    assert (caught.value.code(), caught.value.details()) == (grpc.StatusCode.NOT_FOUND, "no such thing")
    assert (status.code, status.details) == (STATUS.code, STATUS.details)


async def test_an_app_that_nobody_knows(sidecar: Sidecars) -> None:
    """An unknown app is INTERNAL, by its name."""
    request = call("echo")
    request.id = "nobody"

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await sidecar.caller.InvokeService(request)

    message = "failed to invoke, id: nobody, err: no host found with the given ID"
    assert (caught.value.code(), message in (caught.value.details() or "")) == (
        grpc.StatusCode.INTERNAL,
        True,
    )


@pytest.mark.parametrize(
    ("content_type", "data", "delivered"),
    [
        ("text/plain", "grün".encode(), "grün".encode()),
        ("", b"text", b"text"),
        ("application/octet-stream", bytes(range(256)), bytes(range(256))),
        ("application/json", b'{"b": 1, "a": ["x", null]}', b'{"a":["x",null],"b":1}'),
        ("application/json", b"no JSON", b'"no JSON"'),
        ("application/xml", b"<a/>", b"<a/>"),
        ("image/png", b"PNG", b""),
    ],
)
async def test_an_event_and_its_data(
    sidecar: Sidecars, content_type: str, data: bytes, delivered: bytes
) -> None:
    """Each type's data arrives as daprd delivers it, in an event with the usual attributes."""
    event = await sidecar.publish(data, content_type)

    assert (event.data, event.data_content_type) == (delivered, content_type or "text/plain")
    assert (event.type, event.spec_version) == ("com.dapr.event.sent", "1.0")
    assert (event.pubsub_name, event.topic, event.path) == ("pubsub", "in", "path/in")
    extensions = json_format.MessageToDict(event.extensions)
    assert (extensions["topic"], extensions["pubsubname"], "time" in extensions) == ("in", "pubsub", True)
    assert event.id
    assert event.source


async def test_a_cloud_event_of_the_publishers_own(sidecar: Sidecars) -> None:
    """What is published as a CloudEvent keeps its attributes and its data."""
    given = {"specversion": "1.0", "id": "7", "source": "/me", "type": "x.y", "subject": "s", **PNG}

    event = await sidecar.publish(json.dumps(given).encode(), "application/cloudevents+json")

    assert (event.id, event.source, event.type) == ("7", "/me", "x.y")
    assert (event.data, event.data_content_type) == (b"\x89PNG", "image/png")
    assert event.extensions["subject"] == "s"


async def test_a_dropped_event_is_a_dead_letter(sidecar: Sidecars) -> None:
    """What the app drops goes to the topic's dead letter, with its id."""
    dropped = await sidecar.publish(b"drop", "text/plain")
    dead = await asyncio.wait_for(sidecar.recorder.events.get(), 5)

    assert (dead.topic, dead.id, dead.data) == ("dead", dropped.id, b"drop")


async def test_state(sidecar: Sidecars) -> None:
    """A value is there once saved, gone once deleted, and nothing before and after."""
    get = state_pb2.GetStateRequest(store_name="store", key="k")
    item = common_pb2.StateItem(key="k", value=b"\x00value")

    before = await sidecar.own.GetState(get)
    await sidecar.own.SaveState(state_pb2.SaveStateRequest(store_name="store", states=[item]))
    saved = await sidecar.own.GetState(get)
    for _ in range(2):
        await sidecar.own.DeleteState(state_pb2.DeleteStateRequest(store_name="store", key="k"))
    after = await sidecar.own.GetState(get)

    assert [each.data for each in (before, saved, after)] == [b"", b"\x00value", b""]


FIRST, LAST = common_pb2.StateOptions.CONCURRENCY_FIRST_WRITE, common_pb2.StateOptions.CONCURRENCY_LAST_WRITE
OK, ABORTED, INTERNAL = grpc.StatusCode.OK, grpc.StatusCode.ABORTED, grpc.StatusCode.INTERNAL


async def code_of(call: Any) -> grpc.StatusCode:
    """Return the code that a call ends with."""
    try:
        await call
    except grpc.aio.AioRpcError as exc:
        return exc.code()
    return OK


def save_of(key: str, value: bytes, etag: str | None, concurrency: Any) -> state_pb2.SaveStateRequest:
    """Return a request that saves one value."""
    item = common_pb2.StateItem(
        key=key, value=value, options=common_pb2.StateOptions(concurrency=concurrency)
    )
    if etag is not None:
        item.etag.value = etag
    return state_pb2.SaveStateRequest(store_name="store", states=[item])


@pytest.mark.parametrize(
    ("first", "etag", "second", "code"),
    [
        (None, None, FIRST, OK),
        (None, "7", FIRST, OK),
        (None, None, LAST, OK),
        (FIRST, "1", FIRST, OK),
        (FIRST, "7", FIRST, ABORTED),
        (FIRST, "no number", FIRST, grpc.StatusCode.INVALID_ARGUMENT),
        (FIRST, "", FIRST, INTERNAL),
        (FIRST, None, FIRST, INTERNAL),
        (FIRST, None, None, INTERNAL),
        (FIRST, None, LAST, INTERNAL),
        (FIRST, "1", LAST, ABORTED),
        (FIRST, "1", None, OK),
        (None, "1", None, OK),
        (LAST, "1", None, OK),
        (LAST, "7", None, ABORTED),
        (LAST, "7", LAST, OK),
        (LAST, None, None, OK),
        (LAST, None, FIRST, OK),
        (LAST, "7", FIRST, ABORTED),
    ],
)
async def test_a_save_under_an_etag(
    sidecar: Sidecars, first: Any, etag: str | None, second: Any, code: grpc.StatusCode
) -> None:
    """Whether a value is replaced depends on its etag, on how it was written and on how it is to be written."""
    key = f"etag {first} {etag} {second}"
    if first is not None:
        await sidecar.own.SaveState(save_of(key, b"old", None, first))

    seen = await code_of(sidecar.own.SaveState(save_of(key, b"new", etag, second)))
    found = await sidecar.own.GetState(state_pb2.GetStateRequest(store_name="store", key=key))

    assert seen is code
    writes = (first is not None) + (code is OK)
    assert (found.data, found.etag) == (b"new" if code is OK else b"old", str(writes))


@pytest.mark.parametrize(
    ("etag", "code"), [(None, OK), ("", OK), ("1", OK), ("0", OK), ("7", ABORTED), ("no number", ABORTED)]
)
@pytest.mark.parametrize("exists", [True, False])
async def test_a_delete_under_an_etag(
    sidecar: Sidecars, etag: str | None, code: grpc.StatusCode, *, exists: bool
) -> None:
    """A value with another etag stays; a missing one has none that could differ."""
    key = f"delete {etag} {exists}"
    if exists:
        await sidecar.own.SaveState(save_of(key, b"old", None, FIRST))
    request = state_pb2.DeleteStateRequest(store_name="store", key=key)
    if etag is not None:
        request.etag.value = etag

    seen = await code_of(sidecar.own.DeleteState(request))
    found = await sidecar.own.GetState(state_pb2.GetStateRequest(store_name="store", key=key))

    assert seen is (code if exists else OK)
    assert found.data == (b"old" if exists and code is ABORTED else b"")


async def test_whose_sidecar_it_is(sidecar: Sidecars) -> None:
    """A sidecar tells the id of its app."""
    request = metadata_pb2.GetMetadataRequest()

    answers = [await stub.GetMetadata(request) for stub in (sidecar.caller, sidecar.own)]

    assert [answer.id for answer in answers] == ["caller", "recorder"]
