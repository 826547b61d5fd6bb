"""What the blocking client does with threads, and how its calls end early."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import grpc
import pytest

from unit.client.fake_functions import FakeFunctions, Invocation, chunk_of, header_of
from wasm_grpc.client import FunctionError, FunctionsClient
from wasm_grpc.v1.functions_pb2 import InvokeResponse

DEADLINE_S = 5
CANCELLED = grpc.StatusCode.CANCELLED

USE_STDIN = """
import sys, threading
from wasm_grpc.client import FunctionsClient

def endless():
    yield b"a"
    threading.Event().wait()

body = {"stdin": sys.stdin.buffer, "generator": endless()}[sys.argv[3]]
with FunctionsClient(address=sys.argv[1]) as functions:
    for chunk in functions.stream(sys.argv[2], body):
        sys.stdout.buffer.write(chunk)
"""


@pytest.fixture
def functions(server: FakeFunctions) -> Iterator[FunctionsClient]:
    """Connect to the server."""
    with FunctionsClient(address=server.address) as client:
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


def client_threads() -> set[threading.Thread]:
    """Return the threads that are not the server's."""
    return {each for each in threading.enumerate() if not each.name.startswith("ThreadPoolExecutor")}


def endless() -> Iterator[bytes]:
    """Return one piece, and wait for ever."""
    yield b"a"
    threading.Event().wait()


def test_the_whole_result(functions: FunctionsClient) -> None:
    """`read` gives all that hasn't been taken."""
    with functions.stream("echo", [b"a", b"b", b"c"], content_type="text/plain") as stream:
        first = next(stream)
        rest = stream.read()

    assert first + rest == b"abc"
    assert (stream.content_type, dict(stream.metadata), stream.invocation_id) == ("text/plain", {}, "7f")


def test_calls_run_side_by_side(functions: FunctionsClient) -> None:
    """A call that waits for its input keeps no other from its result."""
    with functions.stream("echo", endless()) as waiting:
        assert next(waiting) == b"a"

        assert functions.stream("echo", b"b").read() == b"b"


def test_a_cancelled_call_raises(functions: FunctionsClient, is_over: threading.Event) -> None:
    """Another thread may cancel a call; whoever takes the result learns that it isn't whole."""
    stream = functions.stream("watched", endless())
    assert next(stream) == b"a"
    cancelling = threading.Thread(target=stream.cancel)
    cancelling.start()

    with pytest.raises(FunctionError) as caught:
        next(stream)

    cancelling.join()
    assert (caught.value.code, caught.value.invocation_id) == (CANCELLED, "7f")
    assert is_over.wait(DEADLINE_S)
    stream.cancel()


def test_leaving_a_block_early_cancels(functions: FunctionsClient, is_over: threading.Event) -> None:
    """A block that is left before the result's end stops the function."""
    with functions.stream("watched", endless()) as stream:
        for _ in stream:
            break

    assert is_over.wait(DEADLINE_S)


def test_letting_go_cancels(functions: FunctionsClient, is_over: threading.Event) -> None:
    """So does a loop that is left, even where the source waits."""
    for _ in functions.stream("watched", endless()):
        break

    assert is_over.wait(DEADLINE_S)


def test_closing_the_client_cancels(server: FakeFunctions, is_over: threading.Event) -> None:
    """A client that is closed ends its calls, as failures."""
    with FunctionsClient(address=server.address) as functions:
        stream = functions.stream("watched", endless())
        assert next(stream) == b"a"

    with pytest.raises(FunctionError) as caught:
        next(stream)

    assert caught.value.code is CANCELLED
    assert is_over.wait(DEADLINE_S)


@pytest.mark.parametrize("end", ["cancelled", "ended", "let go"])
def test_no_thread_waits_for_a_pipe(
    server: FakeFunctions, functions: FunctionsClient, is_over: threading.Event, end: str
) -> None:
    """However a call ends, the thread that waited for more of its input ends with it."""

    def head(invocation: Invocation) -> Iterator[InvokeResponse]:
        invocation.context.add_callback(is_over.set)
        yield header_of()
        yield chunk_of(next(invocation.chunks()))

    functions.stream("echo").read()
    before = client_threads()
    read, write = os.pipe()
    os.write(write, b"a")
    with os.fdopen(read, "rb") as reader, os.fdopen(write, "wb"):
        stream = functions.stream(server.add(head) if end == "ended" else "watched", reader)
        assert next(stream) == b"a"
        started = client_threads() - before
        assert started or end == "ended"
        if end == "ended":
            assert stream.read() == b""
        elif end == "cancelled":
            stream.cancel()
        else:
            del stream

        for thread in started:
            thread.join(DEADLINE_S)

        assert started & client_threads() == set()
    assert is_over.wait(DEADLINE_S)


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


def test_the_import_is_light() -> None:
    """Whoever calls functions loads nothing of the server: neither its rooms nor pydantic."""
    command = "import sys, wasm_grpc.client, wasm_grpc.client.aio; print(*sys.modules)"

    loaded = subprocess.run([sys.executable, "-c", command], capture_output=True, check=True, text=True)

    roots = {".".join(name.split(".")[:2]) for name in loaded.stdout.split()}
    own = {root for root in roots if root.startswith("wasm_grpc.")}
    assert own == {"wasm_grpc.client", "wasm_grpc.core", "wasm_grpc.dapr", "wasm_grpc.v1"}
    assert not {"pydantic", "dapr.proto", "dapr.clients"} & roots
