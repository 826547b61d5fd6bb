"""Jobs that are due: how each call ends, and what Dapr makes of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
from dapr.proto.runtime.v1 import appcallback_pb2 as pb
from google.protobuf import any_pb2, wrappers_pb2

from integration.client import Caller, connect, failure_of
from integration.conftest import StartServer
from integration.guests import write_function
from rig import Server

pytestmark = pytest.mark.asyncio(loop_scope="module")

CODES = grpc.StatusCode


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(
    start_server: StartServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Server]:
    """Serve a function that a job calls, as long as this module's tests run."""
    functions = tmp_path_factory.mktemp("functions")
    write_function(
        functions,
        "act",
        sections='outcome.failed = "retry"\nlimits.timeout = "500ms"\nlimits.body = 100',
        trigger='[[trigger.job]]\nname = "nightly"',
    )
    async with start_server(functions, "--workers", "1") as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def caller(server: Server) -> AsyncIterator[Caller]:
    """Open a channel to the server."""
    async with connect(server.address) as channel:
        yield channel


def job(text: str, name: str = "nightly") -> pb.JobEventRequest:
    """Return a job that is due, with text as its data."""
    data = any_pb2.Any()
    data.Pack(wrappers_pb2.StringValue(value=text))
    return pb.JobEventRequest(name=name, data=data, method=f"job/{name}", content_type=data.type_url)


@pytest.mark.parametrize("is_stable", [True, False], ids=["OnJobEvent", "OnJobEventAlpha1"])
async def test_a_job_is_done(caller: Caller, *, is_stable: bool) -> None:
    """Its function succeeds, under both names of the call."""
    call = caller.callback.OnJobEvent if is_stable else caller.alpha.OnJobEventAlpha1

    assert await call(job("ok")) == pb.JobEventResponse()


@pytest.mark.parametrize(
    ("data", "code", "end", "line"),
    [
        ("fails", CODES.FAILED_PRECONDITION, "failed", "is to be retried: EXITED"),
        ("spins", CODES.FAILED_PRECONDITION, "failed", "is to be retried: TIMEOUT"),
        ("rejects", CODES.NOT_FOUND, "failed and is dropped", "is dropped: REJECTED"),
        ("x" * 101, CODES.NOT_FOUND, "failed and is dropped", "is dropped: BODY_TOO_LARGE"),
    ],
    ids=["failed", "timeout", "rejected", "too large"],
)
async def test_a_job_fails(
    caller: Caller, server: Server, data: str, code: grpc.StatusCode, end: str, line: str
) -> None:
    """`[outcome]` chooses between a status that Dapr retries and the one that it takes for done."""
    failure = await failure_of(caller.callback.OnJobEvent(job(data)))

    assert failure.code == code
    assert failure.message.startswith(f"job 'nightly' {end} (invocation ")
    await server.process.stderr.match(rf"job 'nightly' \(invocation \S+\) {line}")


async def test_jobs_without_a_sidecar(start_server: StartServer, tmp_path: Path) -> None:
    """A server that has nothing to schedule them with serves, and says so."""
    write_function(tmp_path, "act", trigger='[[trigger.job]]\nname = "nightly"\nschedule = "@daily"')

    async with start_server(tmp_path, "--workers", "1") as running:
        await running.process.stderr.match(
            r"no sidecar is configured \(DAPR_GRPC_PORT\): not scheduled: nightly"
        )


async def test_a_job_that_no_function_receives(caller: Caller, server: Server) -> None:
    """It is refused with a status that Dapr retries: another server of the app may know it."""
    failure = await failure_of(caller.callback.OnJobEvent(job("ok", name="weekly")))

    assert (failure.code, failure.message) == (
        CODES.FAILED_PRECONDITION,
        "job 'weekly': no function receives it",
    )
    await server.process.stderr.match("job 'weekly': no function receives it; the event is to be retried")
