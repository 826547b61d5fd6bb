"""What observers are told of each request: that it was refused, or that it was received and how it was answered."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from dapr.proto.runtime.v1 import appcallback_pb2 as pb
from dapr.proto.runtime.v1 import dapr_pb2_grpc, metadata_pb2, pubsub_pb2
from google.protobuf import empty_pb2

from integration.client import Caller, connect, failure_of
from integration.guests import write_function
from integration.stream_calls import open_call
from wasm_grpc.app.connection import open_connection
from wasm_grpc.app.edge import Edge, open_edge
from wasm_grpc.app.preparation import open_preparer
from wasm_grpc.catalogue.folder import read_functions
from wasm_grpc.core.model import EngineName
from wasm_grpc.core.observers import (
    Event,
    InvocationAnswered,
    InvocationReceived,
    Observers,
    RequestRefused,
)
from wasm_grpc.core.settings import Settings, make_settings
from wasm_grpc.pool.pool import open_pool

pytestmark = pytest.mark.asyncio(loop_scope="module")

TOKEN = (("dapr-api-token", "secret"),)

ECHO = """
[[trigger.invoke]]
method = "echo"
verbs = ["POST"]

[[trigger.invoke]]
method = "then/*"
then = { publish = { pubsub = "pubsub", topic = "{method}" } }

[[trigger.topic]]
pubsub = "pubsub"
topic = "in"
"""
FUNCTIONS = {
    "page": ("echo", 'response = "cgi"\n'),
    "spin": ("spin", '[limits]\ntimeout = "200ms"\n'),
    "endless": ("spin", '[limits]\ntimeout = "15s"\n'),
    "one": ("echo", "[pool]\nmax = 1\nqueue = 0\n"),
    "line": ("echo", '[limits]\nqueue_wait = "50ms"\n[pool]\nmax = 1\nqueue = 1\n'),
}


class Counter:
    """An observer that counts requests, and keeps what it has counted until somebody asks."""

    wants: frozenset[type[Event]] = frozenset({RequestRefused, InvocationReceived, InvocationAnswered})

    def __init__(self) -> None:
        self.has_received = asyncio.Event()
        self._received: dict[str, str] = {}
        self._ended: asyncio.Queue[tuple[str, str]] = asyncio.Queue()

    def observe(self, event: Event) -> None:
        """See `Observer.observe`."""
        if isinstance(event, InvocationReceived):
            assert event.invocation_id not in self._received
            self._received[event.invocation_id] = event.function
            self.has_received.set()
        elif isinstance(event, InvocationAnswered):
            # Told once, after the other: the id is gone the second time.
            assert self._received.pop(event.invocation_id) == event.function
            assert 0 <= event.duration_s < 20
            self._ended.put_nowait((event.function, event.reason.value))
        elif isinstance(event, RequestRefused):
            self._ended.put_nowait(("", event.reason.value))

    async def next(self) -> tuple[str, str]:
        """Return the function and the reason of the next request that has ended; no function if refused."""
        return await self._ended.get()

    def assert_no_more(self) -> None:
        """Check that every request that was received has ended, and that each end has been asked for."""
        assert (self._received, self._ended.qsize()) == ({}, 0)


class Daprd(dapr_pb2_grpc.DaprServicer):
    """A sidecar that answers each message with the status that ends its topic's name."""

    async def GetMetadata(self, _: object, __: object) -> metadata_pb2.GetMetadataResponse:
        """Say that it is up."""
        return metadata_pb2.GetMetadataResponse(id="app")

    async def PublishEvent(
        self, request: pubsub_pb2.PublishEventRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> empty_pb2.Empty:
        """Take a message, or refuse it."""
        code = grpc.StatusCode[request.topic.rpartition("/")[2]]
        if code is not grpc.StatusCode.OK:
            await context.abort(code, "no")
        return empty_pb2.Empty()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sidecar() -> AsyncIterator[str]:
    """Run `Daprd`, and return its address."""
    server = grpc.aio.server()
    dapr_pb2_grpc.add_DaprServicer_to_server(Daprd(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield f"127.0.0.1:{port}"
    await server.stop(None)


@pytest.fixture(scope="module")
def settings(engine: str, sidecar: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Return the settings of a server with a token and a sidecar."""
    return make_settings(
        {
            "port": 0,
            "engine": engine,
            "workers": 2,
            "cache_dir": str(tmp_path_factory.mktemp("cache")),
            "app_api_token": "secret",
            "dapr_grpc_endpoint": sidecar,
        }
    )


@pytest.fixture(scope="module")
def functions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return functions that end in many ways."""
    folder = tmp_path_factory.mktemp("functions")
    write_function(folder, "echo", sections='[limits]\nbody = "1KiB"\n', trigger=ECHO)
    for name, (guest, sections) in FUNCTIONS.items():
        write_function(folder, name, guest=guest, sections=sections)
    return folder


@contextlib.asynccontextmanager
async def open_server(folder: Path, settings: Settings, counter: Counter) -> AsyncIterator[Edge]:
    """Serve the functions in this process, and count."""
    functions = await asyncio.to_thread(read_functions, folder)
    observers = Observers([counter])
    async with open_preparer([EngineName(settings.engine)], settings) as preparer:
        prepared = await preparer.prepare(functions)
        async with (
            open_pool(prepared, settings, preparer.bases, observers) as pool,
            open_connection(settings) as connection,
            open_edge(functions, pool, connection, observers, settings) as edge,
        ):
            yield edge


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_counter() -> Counter:
    """Return the observer of this module's server."""
    return Counter()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(functions: Path, settings: Settings, shared_counter: Counter) -> AsyncIterator[Edge]:
    """Serve as long as this module's tests run."""
    async with open_server(functions, settings, shared_counter) as edge:
        yield edge


@pytest_asyncio.fixture(loop_scope="module")
async def counter(shared_counter: Counter) -> AsyncIterator[Counter]:
    """Return the observer; after the test, it must have told of no other request."""
    yield shared_counter
    shared_counter.assert_no_more()


@pytest_asyncio.fixture(loop_scope="module")
async def caller(server: Edge) -> AsyncIterator[Caller]:
    """Open a channel to the server."""
    async with connect(server.address) as channel:
        yield channel


@pytest.mark.parametrize(
    ("method", "body", "function"),
    [("echo", b"hi", "echo"), ("page", b"Status: 201\n\n", "page"), ("then/OK", b"hi", "echo")],
    ids=["plain", "CGI", "sent on"],
)
async def test_a_call_that_goes_well(
    caller: Caller, counter: Counter, method: str, body: bytes, function: str
) -> None:
    """It counts once, as OK."""
    await caller.invoke(method, body, metadata=TOKEN)

    assert await counter.next() == (function, "OK")


@pytest.mark.parametrize(
    ("method", "body", "function", "reason"),
    [
        ("echo", b"x" * 1025, "echo", "BODY_TOO_LARGE"),
        ("spin", b"", "spin", "TIMEOUT"),
        ("page", b"no head", "page", "BAD_RESPONSE"),
        ("page", b"Status: 404\n\n", "page", "STATUS"),
        ("then/NOT_FOUND", b"", "echo", "THEN_FAILED"),
        ("then/UNAVAILABLE", b"", "echo", "THEN_UNAVAILABLE"),
        ("unknown", b"", "", "UNKNOWN_METHOD"),
        ("echo?a=b", b"", "", "INVALID_REQUEST"),
    ],
    ids=lambda value: value if isinstance(value, str) and value.isupper() else "",
)
async def test_a_call_that_fails(
    caller: Caller, counter: Counter, method: str, body: bytes, function: str, reason: str
) -> None:
    """It counts once, with the reason that its caller gets; under no function if it reaches none."""
    failure = await caller.fail(method, body, metadata=TOKEN)

    assert await counter.next() == (function, reason)
    assert failure.reason == reason


async def test_a_verb_that_is_not_allowed(caller: Caller, counter: Counter) -> None:
    """The call is refused, and reaches no function."""
    failure = await caller.fail("echo", verb="GET", metadata=TOKEN)

    assert await counter.next() == ("", "VERB_NOT_ALLOWED")
    assert failure.reason == "VERB_NOT_ALLOWED"


@pytest.mark.parametrize("method", ["one", "line"])
async def test_a_call_that_finds_no_worker(caller: Caller, counter: Counter, method: str) -> None:
    """It counts beside the one that runs: without a queue at once, in one when it has waited too long."""
    async with open_call(caller, method, call_metadata=TOKEN) as stream:
        await stream.header()
        failure = await caller.fail(method, metadata=TOKEN)
        refused = await counter.next()
        await stream.end()
        await stream.rest()

    assert refused == (method, {"one": "QUEUE_FULL", "line": "QUEUE_WAIT"}[method])
    assert failure.reason == refused[1]
    assert await counter.next() == (method, "OK")


async def test_a_caller_that_leaves(caller: Caller, counter: Counter) -> None:
    """Its call counts as cancelled."""
    counter.has_received.clear()
    call = caller.start("endless", metadata=TOKEN)
    await counter.has_received.wait()

    call.cancel()

    assert await counter.next() == ("endless", "CANCELLED")


async def test_a_streams_caller_that_leaves(caller: Caller, counter: Counter) -> None:
    """Its call counts as cancelled too."""
    async with open_call(caller, "echo", call_metadata=TOKEN) as stream:
        await stream.header()

    assert await counter.next() == ("echo", "CANCELLED")


@pytest.mark.parametrize(
    ("method", "body", "function", "reason"),
    [
        ("echo", b"hi", "echo", "OK"),
        ("page", b"Status: 404\n\n", "page", "STATUS"),
        ("page", b"no head", "page", "BAD_RESPONSE"),
        ("spin", b"", "spin", "TIMEOUT"),
        ("then/OK", b"", "", "INVALID_REQUEST"),
        ("unknown", b"", "", "UNKNOWN_METHOD"),
    ],
    ids=lambda value: value if isinstance(value, str) and value.isupper() else "",
)
async def test_a_stream(
    caller: Caller, counter: Counter, method: str, body: bytes, function: str, reason: str
) -> None:
    """It counts once, when it has ended, with its final reason."""
    async with open_call(caller, method, call_metadata=TOKEN) as stream:
        await stream.send_all(body)
        with contextlib.suppress(grpc.aio.AioRpcError):
            while await stream.message():
                pass

    assert await counter.next() == (function, reason)


async def test_a_stream_without_a_header(caller: Caller, counter: Counter) -> None:
    """It reaches no function."""
    async with open_call(caller, None, call_metadata=TOKEN) as stream:
        await stream.end()
        await stream.failure()

    assert await counter.next() == ("", "INVALID_REQUEST")


async def test_calls_without_the_token(caller: Caller, counter: Counter) -> None:
    """Each is refused before its function is looked for."""
    await caller.fail("echo")
    await failure_of(caller.callback.OnTopicEvent(pb.TopicEventRequest()))
    async with open_call(caller, "echo") as stream:
        await stream.failure()

    assert [await counter.next() for _ in range(3)] == [("", "UNAUTHENTICATED")] * 3


@pytest.mark.parametrize(
    ("fields", "end"),
    [
        ({}, ("echo", "OK")),
        ({"data": b"x" * 1025}, ("echo", "BODY_TOO_LARGE")),
        ({"source": ""}, ("", "EVENT_INVALID")),
        ({"topic": "other"}, ("", "UNKNOWN_METHOD")),
    ],
    ids=["done", "fails", "no CloudEvent", "no receiver"],
)
async def test_a_message(
    caller: Caller, counter: Counter, fields: dict[str, Any], end: tuple[str, str]
) -> None:
    """A topic's message counts as a call does, whatever daprd is told to do with it."""
    message = {
        "id": "1",
        "source": "test",
        "type": "test.sent",
        "spec_version": "1.0",
        "data": b"hi",
        "data_content_type": "text/plain",
        "pubsub_name": "pubsub",
        "topic": "in",
        "path": "echo/0",
    }
    await caller.callback.OnTopicEvent(pb.TopicEventRequest(**{**message, **fields}), metadata=TOKEN)

    assert await counter.next() == end


async def test_an_event_of_a_binding(caller: Caller, counter: Counter) -> None:
    """No function receives it."""
    await failure_of(caller.callback.OnBindingEvent(pb.BindingEventRequest(name="b"), metadata=TOKEN))

    assert await counter.next() == ("", "UNKNOWN_METHOD")


async def test_a_server_that_drains(functions: Path, settings: Settings) -> None:
    """A call that comes late counts as DRAINING, and so does a stream that is ended."""
    counter = Counter()
    is_over = asyncio.Event()

    async with (
        open_server(functions, settings, counter) as edge,
        connect(edge.address) as caller,
        open_call(caller, "one", call_metadata=TOKEN) as stream,
    ):
        await stream.header()
        draining = asyncio.ensure_future(edge.drain(seconds=15, force=is_over))
        await caller.fail("echo", metadata=TOKEN)
        is_over.set()
        await draining

    assert [await counter.next(), await counter.next()] == [("echo", "DRAINING"), ("one", "DRAINING")]
    counter.assert_no_more()
