"""What the client on asyncio does with tasks and threads, and how its calls end early."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator

import grpc
import pytest
import pytest_asyncio

from unit.client.fake_functions import FakeFunctions, Invocation, chunk_of, header_of
from wasm_grpc.client.aio import FunctionError, FunctionsClient, Stream
from wasm_grpc.v1.functions_pb2 import InvokeResponse

DEADLINE_S = 5
CANCELLED = grpc.StatusCode.CANCELLED

USE_STDIN = """
import asyncio, sys, threading
from wasm_grpc.client.aio import FunctionsClient

def endless():
    yield b"a"
    threading.Event().wait()

async def main():
    body = {"stdin": sys.stdin.buffer, "generator": endless()}[sys.argv[3]]
    async with FunctionsClient(address=sys.argv[1]) as functions:
        async for chunk in functions.stream(sys.argv[2], body):
            sys.stdout.buffer.write(chunk)

asyncio.run(main())
"""


@pytest_asyncio.fixture
async def functions(server: FakeFunctions) -> AsyncIterator[FunctionsClient]:
    """Connect to the server."""
    async with FunctionsClient(address=server.address) as client:
        yield client


@pytest.fixture
def is_over(server: FakeFunctions) -> threading.Event:
    """Serve `watched`, an echo that tells by this when its call is over."""
    over = threading.Event()

    def watched(invocation: Invocation) -> Iterator[InvokeResponse]:
        invocation.context.add_callback(over.set)
        yield header_of()
        yield from map(chunk_of, invocation.chunks())

    server.add(watched)
    return over


async def has_ended(is_over: threading.Event) -> bool:
    """Wait for a call to be over on the server."""
    return await asyncio.to_thread(is_over.wait, DEADLINE_S)


class Endless(AsyncIterator[bytes]):
    """A source that gives one piece, and waits for ever."""

    def __init__(self) -> None:
        self.was_cancelled = False
        self._pieces = [b"a"]

    async def __anext__(self) -> bytes:
        if self._pieces:
            return self._pieces.pop()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise
        raise StopAsyncIteration


async def pieces(*given: bytes) -> AsyncIterator[bytes]:
    """Return these pieces."""
    for piece in given:
        yield piece


async def fails(after: asyncio.Event, failure: BaseException) -> AsyncIterator[bytes]:
    """Return one piece, wait, then fail."""
    yield b"a"
    await after.wait()
    raise failure


@pytest.mark.asyncio
async def test_an_async_body(functions: FunctionsClient) -> None:
    """An async iterable is a body; `read` gives all that hasn't been taken, also after the header."""
    async with functions.stream("echo", pieces(b"a", b"", b"b", b"c"), content_type="text/plain") as stream:
        header = await stream.header()
        first = await anext(stream)
        rest = await stream.read()

    assert first + rest == b"abc"
    assert (header.content_type, dict(header.metadata), header.invocation_id) == ("text/plain", {}, "7f")
    assert await stream.header() == header


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "failure",
    [
        OSError("gone"),
        asyncio.CancelledError("not ours"),
        grpc.aio.AioRpcError(grpc.StatusCode.ABORTED),
        grpc.aio.InternalError("another call"),
        asyncio.InvalidStateError("another call"),
    ],
    ids=["error", "cancelled", "status", "internal", "state"],
)
async def test_an_async_body_that_fails(
    functions: FunctionsClient, is_over: threading.Event, failure: BaseException
) -> None:
    """What an async source raises reaches the caller as it was, be it a cancellation of its own."""
    has_chunk = asyncio.Event()
    stream = functions.stream("watched", fails(has_chunk, failure))
    assert await anext(stream) == b"a"
    has_chunk.set()

    with pytest.raises(type(failure)) as caught:
        await stream.read()

    assert caught.value is failure
    assert await has_ended(is_over)


@pytest.mark.asyncio
async def test_calls_run_side_by_side(functions: FunctionsClient) -> None:
    """A call that waits for its input keeps no other from its result."""
    async with functions.stream("echo", Endless()) as waiting:
        assert await anext(waiting) == b"a"

        assert await functions.stream("echo", b"b").read() == b"b"


@pytest.mark.asyncio
async def test_a_cancelled_call_raises(functions: FunctionsClient, is_over: threading.Event) -> None:
    """A call may be cancelled; whoever takes the result learns that, and is not cancelled itself."""
    body = Endless()
    stream = functions.stream("watched", body)
    assert await anext(stream) == b"a"
    asyncio.get_running_loop().call_soon(stream.cancel)

    with pytest.raises(FunctionError) as caught:
        await anext(stream)
    with pytest.raises(FunctionError):
        await anext(stream)

    assert (caught.value.code, caught.value.invocation_id) == (CANCELLED, "7f")
    assert await has_ended(is_over)
    await stream.aclose()
    assert body.was_cancelled


@pytest.mark.asyncio
async def test_a_cancelled_task_cancels_its_call(
    functions: FunctionsClient, is_over: threading.Event
) -> None:
    """A task that is cancelled while it waits for a chunk is, and stops the function."""
    stream = functions.stream("watched", Endless())
    assert await anext(stream) == b"a"
    taking = asyncio.create_task(stream.read())
    asyncio.get_running_loop().call_soon(taking.cancel)

    with pytest.raises(asyncio.CancelledError):
        await taking

    assert taking.cancelled()
    assert await has_ended(is_over)


@pytest.mark.asyncio
@pytest.mark.skipif(
    sys.version_info < (3, 11), reason="CPython 3.10 doesn't tell whether a task is cancelled"
)
async def test_a_task_is_cancelled_whatever_its_call_is(functions: FunctionsClient) -> None:
    """A task that is cancelled at the moment at which its call is stays so."""
    stream = functions.stream("echo", Endless())
    assert await anext(stream) == b"a"
    taking = asyncio.create_task(stream.read())

    def cancel_both() -> None:
        stream.cancel()
        taking.cancel()

    asyncio.get_running_loop().call_soon(cancel_both)

    with pytest.raises(asyncio.CancelledError):
        await taking


@pytest.mark.asyncio
async def test_leaving_a_block_early_cancels(functions: FunctionsClient, is_over: threading.Event) -> None:
    """A block that is left before the result's end stops the function, and the source is left alone."""
    body = Endless()
    async with functions.stream("watched", body) as stream:
        async for _ in stream:
            break

    assert body.was_cancelled
    assert await has_ended(is_over)


@pytest.mark.asyncio
async def test_letting_go_cancels(functions: FunctionsClient, is_over: threading.Event) -> None:
    """So does a loop that is left, even where the source waits."""

    async def leave() -> None:
        async for _ in functions.stream("watched", Endless()):
            break

    await leave()

    assert await has_ended(is_over)


@pytest.mark.asyncio
async def test_closing_the_client_cancels(server: FakeFunctions, is_over: threading.Event) -> None:
    """A client that is closed ends its calls, as failures, and waits until no source is read any more."""
    body = Endless()
    async with FunctionsClient(address=server.address) as functions:
        stream = functions.stream("watched", body)
        assert await anext(stream) == b"a"

    assert body.was_cancelled
    with pytest.raises(FunctionError) as caught:
        await anext(stream)
    assert caught.value.code is CANCELLED
    assert await has_ended(is_over)


@pytest.mark.asyncio
@pytest.mark.parametrize("end", ["cancelled", "ended", "let go"])
async def test_no_thread_waits_for_a_pipe(
    server: FakeFunctions, functions: FunctionsClient, is_over: threading.Event, end: str
) -> None:
    """However a call ends, the thread that waited for more of its input ends with it."""

    def head(invocation: Invocation) -> Iterator[InvokeResponse]:
        invocation.context.add_callback(is_over.set)
        yield header_of()
        yield chunk_of(next(invocation.chunks()))

    read, write = os.pipe()
    with os.fdopen(read, "rb") as reader, os.fdopen(write, "wb", buffering=0) as writer:
        writer.write(b"a")

        async def call() -> Stream:
            stream = functions.stream(server.add(head) if end == "ended" else "watched", reader)
            assert await anext(stream) == b"a"
            return stream

        stream: Stream | None = await call()
        assert stream is not None
        (reading,) = (thread for thread in threading.enumerate() if thread.name == "wasm-grpc body")
        if end == "ended":
            assert await stream.read() == b""
        elif end == "cancelled":
            stream.cancel()
        else:
            stream = None

        await asyncio.to_thread(reading.join, DEADLINE_S)

        assert not reading.is_alive()
    assert await has_ended(is_over)


def test_a_client_is_made_without_a_loop(server: FakeFunctions) -> None:
    """A client may be made before there is a loop, such as where a module is loaded."""
    functions = FunctionsClient(address=server.address)

    async def call() -> bytes:
        async with functions:
            return await functions.stream("echo", b"a").read()

    assert asyncio.run(call()) == b"a"


def test_a_client_that_is_not_closed(
    server: FakeFunctions, is_over: threading.Event, capfd: pytest.CaptureFixture[str]
) -> None:
    """A loop that ends takes its calls with it, and says nothing."""

    async def call() -> None:
        functions = FunctionsClient(address=server.address)
        stream = functions.stream("watched", Endless())
        assert await anext(stream) == b"a"

    asyncio.run(call())

    assert is_over.wait(DEADLINE_S)
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("body", ["stdin", "generator"])
def test_the_interpreter_ends(server: FakeFunctions, body: str) -> None:
    """A source that still waits when the call is over keeps no process from ending, nor ends it badly."""

    def head(invocation: Invocation) -> Iterator[InvokeResponse]:
        yield header_of()
        yield chunk_of(next(invocation.chunks()))

    command = [sys.executable, "-W", "error", "-c", USE_STDIN, server.address, server.add(head), body]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(b"a")
        process.stdin.flush()

        code = process.wait(DEADLINE_S * 2)

        assert (code, process.stdout.read(), process.stderr.read()) == (0, b"a", b"")
