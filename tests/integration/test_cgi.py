"""Functions with ``response = "cgi"``: what they write as headers is what the caller gets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
import pytest_asyncio

from integration.client import Caller, Failure, connect
from integration.conftest import StartServer
from integration.guests import write_function

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def caller(
    start_server: StartServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Caller]:
    """Call guests whose input is their response, headers and all."""
    functions = tmp_path_factory.mktemp("functions")
    write_function(functions, "cgi", guest="echo", sections='response = "cgi"\ncontent_type = "text/csv"\n')
    write_function(functions, "exit", sections='response = "cgi"\n')
    async with start_server(functions, "--workers", "1") as server, connect(server.address) as channel:
        yield channel


async def initial_metadata(call: Any) -> list[tuple[str, str]]:
    """Return what came before the reply or the failure, in order."""
    return [(str(key), str(value)) for key, value in await call.initial_metadata()]


async def test_headers_become_initial_metadata(caller: Caller) -> None:
    """Content type and body are the reply's, the other headers its initial metadata, repeated ones too."""
    call = caller.start(
        "cgi",
        b"Content-Type: text/html\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 9\r\n\r\n<p>",
    )

    reply = await call

    assert (reply.data.value, reply.data.type_url, reply.content_type) == (b"<p>", "", "text/html")
    assert await initial_metadata(call) == [("set-cookie", "a=1"), ("set-cookie", "b=2")]


async def test_the_manifests_content_type_is_the_default(caller: Caller) -> None:
    """A guest that names no content type answers with the manifest's; any 2xx is success."""
    reply = await caller.invoke("cgi", b"Status: 201 Created\n\na,b")

    assert (reply.body, reply.content_type) == (b"a,b", "text/csv")


async def test_a_status_is_the_calls_own(caller: Caller) -> None:
    """A status that is no success gets its code, the body as its message, and the guest's headers."""
    call = caller.start("cgi", b"Status: 429\nRetry-After: 5\n\nslower, please\n")

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call

    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert caught.value.details() == "function 'cgi': slower, please"
    assert (await initial_metadata(call))[0] == ("retry-after", "5")


FAILURES: dict[str, tuple[str, bytes, Failure]] = {
    "status": (
        "cgi",
        b"Status: 404\n\n",
        Failure(
            code=grpc.StatusCode.NOT_FOUND,
            message="function 'cgi': 404 Not Found",
            reason="STATUS",
            function="cgi",
        ),
    ),
    "no headers": (
        "cgi",
        b"hello",
        Failure(
            code=grpc.StatusCode.INTERNAL,
            message="function 'cgi': its response: no empty line; expected one after the headers",
            reason="BAD_RESPONSE",
            function="cgi",
        ),
    ),
    "reserved header": (
        "cgi",
        b"Status: 200\ngrpc-status: 0\n\n",
        Failure(
            code=grpc.StatusCode.INTERNAL,
            message="function 'cgi': its response: header 'grpc-status' is reserved; expected another name",
            reason="BAD_RESPONSE",
            function="cgi",
        ),
    ),
    "exit code": (
        "exit",
        b"A",
        Failure(
            code=grpc.StatusCode.INVALID_ARGUMENT,
            message="function 'exit': rejected the input: no picture: expected a PNG",
            reason="REJECTED",
            function="exit",
        ),
    ),
}


@pytest.mark.parametrize(("method", "body", "failure"), FAILURES.values(), ids=FAILURES)
async def test_each_failure_has_its_status(
    caller: Caller, method: str, body: bytes, failure: Failure
) -> None:
    """The guest's status, a response that is none, and an exit code each have a status of their own."""
    found = await caller.fail(method, body)

    assert found == failure
    assert (await caller.invoke("cgi", b"Status: 200\n\nnext")).body == b"next"
