"""Streams of functions with `response = "cgi"`: the answer's header is what the guest wrote first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest
import pytest_asyncio

from integration.client import Caller, Failure, connect
from integration.conftest import StartServer
from integration.guests import write_function
from integration.stream_calls import Header, open_call
from rig import Server
from wasm_grpc.core.model import KIB, MIB

pytestmark = pytest.mark.asyncio(loop_scope="module")

CODES = grpc.StatusCode
CGI = 'response = "cgi"\ncontent_type = "text/html"\n'


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(
    start_server: StartServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Server]:
    """Serve one that begins at once, one that says what it is told, and one that does too."""
    functions = tmp_path_factory.mktemp("functions")
    write_function(functions, "page", sections=CGI)
    write_function(functions, "script", guest="echo", sections=CGI)
    write_function(functions, "obey", sections=CGI)
    write_function(functions, "plain", guest="deaf")
    async with start_server(functions, "--workers", "1", "--max-workers", "4") as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def caller(server: Server) -> AsyncIterator[Caller]:
    """Open a channel to the server."""
    async with connect(server.address) as channel:
        yield channel


async def test_the_header_comes_before_any_input(caller: Caller) -> None:
    """It comes as soon as the guest has written it; headers of one name are a list; 201 is a success too."""
    async with open_call(caller, "page") as stream:
        assert await stream.header() == Header(content_type="text/csv", metadata={"x-tag": "a, b"})

        await stream.send(b"a;b\n")
        assert await stream.exactly(4) == b"a;b\n"
        await stream.end()
        assert await stream.rest() == b""


async def test_cookies_stay_apart(caller: Caller) -> None:
    """Set-Cookie is no list: each of its values is handed on as the guest wrote it."""
    async with open_call(caller, "script") as stream:
        await stream.send(b"Content-Type: text/html\nSet-Cookie: a=1; Path=/\nX-Tag: t\nSet-Cookie: b=2\n\n")
        header = await stream.header()

    assert header == Header(
        content_type="text/html", metadata={"x-tag": "t"}, set_cookies=("a=1; Path=/", "b=2")
    )


async def test_the_header_waits_for_the_guest(caller: Caller) -> None:
    """A guest may need input, in any pieces, before it has written its header lines."""
    async with open_call(caller, "script") as stream:
        reading = asyncio.ensure_future(stream.header())
        for piece in (b"Content-", b"Type: text/plain\r\nX-One", b": 1\r\n\r"):
            await stream.send(piece)
            # Another call's way through the server is as long.
            assert (await caller.invoke("plain")).body == b"done"
            assert not reading.done()
        await stream.send(b"\nbody")

        assert await reading == Header(content_type="text/plain", metadata={"x-one": "1"})
        assert await stream.exactly(4) == b"body"
        await stream.end()
        assert await stream.rest() == b""


async def test_the_content_type_of_the_manifest(caller: Caller) -> None:
    """A guest that names no type has that of its manifest."""
    async with open_call(caller, "script") as stream:
        await stream.send_all(b"Status: 200\n\nbody")

        assert await stream.header() == Header(content_type="text/html")
        assert await stream.rest() == b"body"


async def test_a_body_written_with_its_head(caller: Caller) -> None:
    """What follows the head in one write is the body's beginning, up to the longest message."""
    body = bytes(range(256)) * (4 * KIB - 1) * 4
    async with open_call(caller, "script", timeout_s=15) as stream:
        sending = asyncio.ensure_future(stream.send_all(b"Content-Type: a/b\n\n" + body))

        assert await stream.header() == Header(content_type="a/b")
        assert await stream.rest() == body
        await sending


def bad(message: str) -> Failure:
    """Return the failure of a guest that wrote no CGI response."""
    message = f"function 'script': its response: {message}"
    return Failure(code=CODES.INTERNAL, message=message, reason="BAD_RESPONSE", function="script")


BROKEN: dict[str, tuple[bytes, Failure]] = {
    "nothing": (
        b"",
        bad("standard output is empty; expected header lines such as 'Content-Type: text/plain'"),
    ),
    "no header": (
        b"hello\n\nbody",
        bad("line 'hello' is not a header; expected 'Name: value', then an empty line"),
    ),
    "no empty line": (
        b"Content-Type: a/b\n",
        bad("no empty line; expected one after the headers"),
    ),
    "a head without an end": (
        b"X: " + b"x" * 5000,
        bad("no empty line in the first 4096 bytes; expected one after the headers"),
    ),
    "none that is needed": (
        b"X-One: 1\n\n",
        bad("no Content-Type, Status or Location; expected at least one of these headers"),
    ),
    "two types": (
        b"Content-Type: a/b\nContent-Type: c/d\n\n",
        bad("header 'content-type' appears twice; expected it once"),
    ),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_a_broken_head(caller: Caller, name: str) -> None:
    """What is no CGI response is the guest's failure, and no message comes."""
    output, expected = BROKEN[name]
    async with open_call(caller, "script") as stream:
        await stream.send_all(output)

        assert await stream.failure() == (b"", expected)


@pytest.mark.parametrize("rest", [b"", b"x" * MIB], ids=["short", "long"])
async def test_a_status_that_is_no_success(caller: Caller, rest: bytes) -> None:
    """It is the call's status, its body the message, its headers the initial metadata."""
    async with open_call(caller, "script") as stream:
        sending = asyncio.ensure_future(
            stream.send_all(b"Status: 404 Not Found\nX-Tag: a\nX-Tag: b\n\nno such page", rest)
        )
        body, failure = await stream.failure()
        initial = list(await stream.call.initial_metadata())
        await sending

    text = "no such page" + (rest[: 1024 - 12].decode() + "…" if rest else "")
    assert (body, failure) == (
        b"",
        Failure(
            code=CODES.NOT_FOUND, message=f"function 'script': {text}", reason="STATUS", function="script"
        ),
    )
    assert [entry for entry in initial if entry[0] == "x-tag"] == [("x-tag", "a"), ("x-tag", "b")]
    assert dict(initial)["wasm-grpc-invocation-id"] == failure.invocation_id


FAILURES: dict[str, tuple[bytes, Failure]] = {
    "rejects": (
        b"rejected",
        Failure(
            code=CODES.INVALID_ARGUMENT,
            message="function 'obey': rejected the input: no picture: expected a PNG",
            reason="REJECTED",
            function="obey",
        ),
    ),
    "traps": (
        b"trapped",
        Failure(
            code=CODES.INTERNAL, message="function 'obey': unreachable", reason="TRAPPED", function="obey"
        ),
    ),
}


@pytest.mark.parametrize("name", FAILURES)
async def test_a_guest_that_fails_before_its_head(caller: Caller, name: str) -> None:
    """How the guest ended counts, not that its head is none."""
    output, expected = FAILURES[name]
    async with open_call(caller, "obey") as stream:
        await stream.send(output)

        assert await stream.failure() == (b"", expected)


async def test_a_guest_that_fails_after_its_head(caller: Caller) -> None:
    """Its output comes first; no status of the guest can come any more."""
    async with open_call(caller, "obey") as stream:
        await stream.send(b"Content-Type: a/b\n\nbody")
        header = await stream.header()
        await stream.send(b"rejected")
        body, failure = await stream.failure()

    assert header == Header(content_type="a/b")
    assert (body, failure) == (b"bodyrejected", FAILURES["rejects"][1])
    assert failure.invocation_id == header.invocation_id
