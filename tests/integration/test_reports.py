"""The picture functions report what they did to the events service, and work as well without it."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from dapr.proto.common.v1 import common_pb2
from dapr.proto.runtime.v1 import invoke_pb2

from integration.client import Caller, connect
from integration.conftest import StartServer
from integration.digits import draw, png
from integration.fake_sidecar import Answering, Refused, fake_sidecar
from integration.handwriting import HANDS
from rig import Server

pytestmark = pytest.mark.asyncio(loop_scope="module")

FUNCTIONS = Path(__file__).resolve().parents[2] / "functions"
PICTURE = png(draw(HANDS["careful"][4], pen=16))
FLAGS = ("--workers", "1", "--only", "grayscale", "--only", "classify")
GRANT = 'dapr.invoke = ["events-service/create_event"]'


class Service:
    """A sidecar with an events service that keeps what it is called with."""

    def __init__(self) -> None:
        self.calls: list[invoke_pb2.InvokeServiceRequest] = []
        self.refusal: Refused | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def answer(self, request: invoke_pb2.InvokeServiceRequest) -> common_pb2.InvokeResponse:
        """Answer as the service does."""
        self.calls.append(request)
        await self.gate.wait()
        if self.refusal is not None:
            raise self.refusal
        response = common_pb2.InvokeResponse(content_type="application/json")
        response.data.value = b'{"status":true}'
        return response


class Reporting:
    """A server of both functions, and what they report to."""

    def __init__(self, server: Server, caller: Caller, service: Service) -> None:
        self.server = server
        self.caller = caller
        self.service = service


@asynccontextmanager
async def server_of(
    start_server: StartServer, functions: Path, answer: Answering | None
) -> AsyncIterator[tuple[Server, Caller]]:
    """Run a server, with a sidecar that answers or without one."""
    if answer is None:
        async with start_server(functions, *FLAGS) as server, connect(server.address) as caller:
            yield server, caller
        return
    async with (
        fake_sidecar(answer) as sidecar,
        start_server(functions, *FLAGS, env={"DAPR_GRPC_ENDPOINT": sidecar}) as server,
        connect(server.address) as caller,
    ):
        yield server, caller


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(start_server: StartServer) -> AsyncIterator[Reporting]:
    """Run the functions of the repository, as they are."""
    service = Service()
    async with server_of(start_server, FUNCTIONS, service.answer) as (server, caller):
        yield Reporting(server, caller, service)


@pytest_asyncio.fixture(loop_scope="module")
async def reporting(running: Reporting) -> AsyncIterator[Reporting]:
    """Begin without reports, with a service that answers."""
    running.service.calls.clear()
    yield running
    running.service.refusal = None
    running.service.gate.set()


@pytest.mark.parametrize("function", ["grayscale", "classify"])
async def test_a_call_is_reported(reporting: Reporting, function: str) -> None:
    """A report has the function, both sizes, and the milliseconds that it took."""
    reply = await reporting.caller.invoke(function, PICTURE)

    (call,) = reporting.service.calls
    message = call.message
    assert (call.id, message.method, message.content_type) == (
        "events-service",
        "create_event",
        "application/json",
    )
    assert message.http_extension.verb == common_pb2.HTTPExtension.POST
    event = json.loads(message.data.value)
    assert 0 < event.pop("duration_ms") < 5000
    assert event == {"op_type": function, "input_size": len(PICTURE), "output_size": len(reply.body)}


@pytest.mark.parametrize("function", ["grayscale", "classify"])
async def test_what_is_no_picture_is_not_reported(reporting: Reporting, function: str) -> None:
    """A call that is rejected is no work."""
    failure = await reporting.caller.fail(function, b"no picture")

    assert failure.reason == "REJECTED"
    assert reporting.service.calls == []


REFUSALS = {
    "not there": Refused(grpc.StatusCode.INTERNAL, "failed to invoke, id: events-service"),
    "down": Refused(grpc.StatusCode.UNAVAILABLE, "connection refused"),
    "not allowed": Refused(grpc.StatusCode.PERMISSION_DENIED, "access denied"),
}


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)
@pytest.mark.parametrize("function", ["grayscale", "classify"])
async def test_a_service_that_refuses(reporting: Reporting, function: str, refusal: Refused) -> None:
    """The answer is the same as with the service."""
    expected = await reporting.caller.invoke(function, PICTURE)
    reporting.service.refusal = refusal

    reply = await reporting.caller.invoke(function, PICTURE)

    assert len(reporting.service.calls) == 2
    assert reply.body == expected.body


async def test_a_service_that_hangs(start_server: StartServer) -> None:
    """One call waits for it, for `limits.dapr_timeout`; the next ones don't report, each function for itself."""
    service = Service()
    service.gate.clear()
    loop = asyncio.get_running_loop()

    async with server_of(start_server, FUNCTIONS, service.answer) as (_, caller):
        began_s = loop.time()
        replies = [await caller.invoke("grayscale", PICTURE)]
        took_s = loop.time() - began_s
        replies += [await caller.invoke("grayscale", PICTURE) for _ in range(3)]
        reports = len(service.calls)
        replies.append(await caller.invoke("classify", PICTURE))

    assert [reply.content_type for reply in replies] == ["image/png"] * 4 + ["application/json"]
    assert 1 <= took_s < 5
    assert reports == 1
    assert len(service.calls) == 2


async def test_without_a_grant(start_server: StartServer, tmp_path: Path) -> None:
    """A function that was granted no call doesn't try one, and logs nothing."""
    for name in ("grayscale", "classify"):
        shutil.copytree(FUNCTIONS / name, tmp_path / name)
        manifest = tmp_path / name / "function.toml"
        text = manifest.read_text()
        assert GRANT in text
        manifest.write_text(text.replace(GRANT, ""))
    service = Service()

    async with server_of(start_server, tmp_path, service.answer) as (server, caller):
        replies = [await caller.invoke(name, PICTURE) for name in ("grayscale", "classify")]

    assert [reply.content_type for reply in replies] == ["image/png", "application/json"]
    assert service.calls == []
    assert log_of(server) == []


async def test_without_a_sidecar(start_server: StartServer) -> None:
    """The server says at its start that calls to Dapr fail; then each call leaves one line."""
    async with server_of(start_server, FUNCTIONS, None) as (server, caller):
        replies = [await caller.invoke(name, PICTURE) for name in ("grayscale", "classify")]

    assert [reply.content_type for reply in replies] == ["image/png", "application/json"]
    start, *lines = log_of(server)
    assert start.endswith(
        "WARNING no sidecar is configured (DAPR_GRPC_PORT): calls to Dapr by classify, grayscale fail, and the rest "
        "works; `dapr run … -- wasm-grpc serve …` starts one"
    )
    refusal = "dapr: method 'events-service/create_event' could not be invoked: UNAVAILABLE: "
    assert [refusal in line for line in lines] == [True, True]


def log_of(server: Server) -> list[Any]:
    """Return the lines of a server's log about Dapr."""
    return [line for line in server.process.stderr.lines if "dapr" in line.lower()]
