"""What holds for both clients, against a server that speaks the service."""

from __future__ import annotations

import io
import itertools
import logging
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest

from rig import free_port
from unit.client.client_variants import CLIENTS, Call, Taken
from unit.client.fake_functions import FakeFunctions, Invocation, chunk_of, header_of
from wasm_grpc.client import FunctionError, Header
from wasm_grpc.client.messages import CHUNK_BYTES
from wasm_grpc.client.source import Body
from wasm_grpc.v1.functions_pb2 import InvokeResponse

DEADLINE_S = 5
QUIET_S = 0.3
"""So long nothing may happen where nothing should; what shouldn't takes a few milliseconds."""
HEADER = Header(content_type="text/plain", metadata={}, invocation_id="7f")


@pytest.fixture(params=list(CLIENTS))
def call(request: pytest.FixtureRequest) -> Call:
    """Each client in turn."""
    return CLIENTS[request.param]


def fields_of(failure: BaseException | None) -> dict[str, object]:
    """Return what an error of a function says, and what it was raised from."""
    assert isinstance(failure, FunctionError)
    assert isinstance(failure.__cause__, grpc.RpcError)
    assert str(failure) == failure.message
    return vars(failure)


def error_fields(code: grpc.StatusCode, message: str, **fields: str) -> dict[str, object]:
    """Return what an error is expected to say."""
    empty = {"reason": "", "function": "", "limit": "", "invocation_id": ""}
    return {"code": code, "message": message, **empty, **fields}


@pytest.mark.parametrize(
    ("client", "environ", "metadata"),
    [
        ({"app_id": "images"}, {}, {"dapr-app-id": "images", "dapr-stream": "true"}),
        (
            {"app_id": "images"},
            {"DAPR_API_TOKEN": "secret", "APP_API_TOKEN": "other"},
            {"dapr-app-id": "images", "dapr-stream": "true", "dapr-api-token": "secret"},
        ),
        ({}, {"DAPR_API_TOKEN": "other", "APP_API_TOKEN": "secret"}, {"dapr-api-token": "secret"}),
        ({"token": "own"}, {"APP_API_TOKEN": "other"}, {"dapr-api-token": "own"}),
    ],
    ids=["app", "app and token", "server", "own token"],
)
def test_what_a_call_says(
    call: Call,
    server: FakeFunctions,
    monkeypatch: pytest.MonkeyPatch,
    client: dict[str, str],
    environ: dict[str, str],
    metadata: dict[str, str],
) -> None:
    """The sidecar learns the app and its token from metadata, the function the rest from the header."""
    seen: list[Invocation] = []

    def look(invocation: Invocation) -> Iterator[InvokeResponse]:
        seen.append(invocation)
        yield header_of("image/png", **{"x-a": "1"})

    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    taken = call(
        server.address,
        server.add(look),
        client=client,
        verb="PUT",
        query="a=1",
        content_type="t/p",
        metadata={"X-B": "2"},
    )

    own = {key: value for key, value in seen[0].metadata.items() if key.startswith("dapr-")}
    header = seen[0].header
    assert own == metadata
    assert (header.method, header.verb, header.query) == ("look", "PUT", "a=1")
    assert (header.content_type, dict(header.metadata)) == ("t/p", {"x-b": "2"})
    assert taken == Taken(Header(content_type="image/png", metadata={"x-a": "1"}, invocation_id="7f"))


def test_a_call_says_post(call: Call, server: FakeFunctions) -> None:
    """Without a word the verb is POST, and the rest is empty."""
    seen: list[Invocation] = []

    def look(invocation: Invocation) -> Iterator[InvokeResponse]:
        seen.append(invocation)
        yield header_of()
        yield from map(chunk_of, invocation.chunks())

    taken = call(server.address, server.add(look))

    header = seen[0].header
    assert (header.verb, header.query, header.content_type, dict(header.metadata)) == ("POST", "", "", {})
    assert taken == Taken(HEADER)


@pytest.mark.parametrize(
    "body",
    [
        lambda _: b"abc",
        lambda _: bytearray(b"abc"),
        lambda _: memoryview(b"abc"),
        lambda _: [b"a", b"", bytearray(b"bc")],
        lambda _: (each for each in (b"", b"ab", b"c", b"")),
        lambda _: io.BytesIO(b"abc"),
        lambda path: path.open("rb"),
        lambda path: path.open("rb", buffering=0),
    ],
    ids=["bytes", "bytearray", "memoryview", "list", "generator", "memory", "file", "raw file"],
)
def test_every_kind_of_body(
    call: Call, server: FakeFunctions, tmp_path: Path, body: Callable[[Path], Body]
) -> None:
    """A body arrives whole whatever it is, and no message of it is empty."""
    sizes: list[int] = []

    def measured(invocation: Invocation) -> Iterator[InvokeResponse]:
        yield header_of()
        for chunk in invocation.chunks():
            sizes.append(len(chunk))
            yield chunk_of(chunk)

    (tmp_path / "body").write_bytes(b"abc")
    given = body(tmp_path / "body")

    taken = call(server.address, server.add(measured), given)

    assert (taken.body, taken.failure) == (b"abc", None)
    assert all(sizes)
    if isinstance(given, io.IOBase):
        assert not given.closed
        given.close()


def test_a_large_body(call: Call, server: FakeFunctions) -> None:
    """What is larger than daprd takes in one message goes in several."""
    sizes: list[int] = []

    def measured(invocation: Invocation) -> Iterator[InvokeResponse]:
        yield header_of()
        for chunk in invocation.chunks():
            sizes.append(len(chunk))
            yield chunk_of(chunk)

    body = os.urandom(5 * CHUNK_BYTES + 1)

    taken = call(server.address, server.add(measured), body)

    assert taken.body == body
    assert sizes == [CHUNK_BYTES] * 5 + [1]


def test_input_and_output_flow(call: Call, server: FakeFunctions) -> None:
    """Each piece is sent, and its answer taken, before there is a next one."""
    answered = threading.Semaphore(0)

    def talk() -> Iterator[bytes]:
        for piece in (b"a", b"b", b"c"):
            yield piece
            assert answered.acquire(timeout=DEADLINE_S)

    taken = call(server.address, "echo", talk(), after_chunk=answered.release)

    assert (taken.chunks, taken.failure) == ([b"a", b"b", b"c"], None)


def test_the_header_comes_before_the_first_chunk(call: Call, server: FakeFunctions) -> None:
    """The header is there while the function waits for its input."""
    has_header = threading.Event()

    def late() -> Iterator[bytes]:
        assert has_header.wait(DEADLINE_S)
        yield b"a"

    taken = call(server.address, "echo", late(), after_header=has_header.set, content_type="text/plain")

    assert taken == Taken(HEADER, [b"a"])


def test_a_failure_says_what_the_server_says(call: Call, server: FakeFunctions) -> None:
    """A failed call's error has the status and all that the server's details say."""
    details = {"function": "resize", "limit": "limits.timeout", "invocation_id": "7f"}

    def late(invocation: Invocation) -> Iterator[InvokeResponse]:
        invocation.fail(grpc.StatusCode.DEADLINE_EXCEEDED, "ran longer", reason="TIMEOUT", **details)

    taken = call(server.address, server.add(late))

    expected = error_fields(grpc.StatusCode.DEADLINE_EXCEEDED, "ran longer", reason="TIMEOUT", **details)
    assert fields_of(taken.failure) == expected
    assert (taken.header, taken.chunks) == (None, [])


def test_a_failure_comes_after_the_last_chunk(call: Call, server: FakeFunctions) -> None:
    """All that came before a failure is given, also to a caller that takes it when the call has ended."""
    has_ended = threading.Event()

    def half(invocation: Invocation) -> Iterator[InvokeResponse]:
        invocation.context.add_callback(has_ended.set)
        yield header_of()
        for number in range(50):
            yield chunk_of(bytes([number]) * 1000)
        invocation.fail(grpc.StatusCode.INTERNAL, "", reason="TRAPPED", function="half")

    taken = call(server.address, server.add(half), after_header=lambda: has_ended.wait(DEADLINE_S))

    assert taken.body == b"".join(bytes([number]) * 1000 for number in range(50))
    expected = error_fields(
        grpc.StatusCode.INTERNAL, "INTERNAL", reason="TRAPPED", function="half", invocation_id="7f"
    )
    assert fields_of(taken.failure) == expected


@pytest.mark.parametrize("details", ["foreign", "garbage"])
def test_a_failure_without_details(call: Call, server: FakeFunctions, details: str) -> None:
    """What comes from no server of functions, or can't be read, is left out; the status says what is wrong."""

    def fails(invocation: Invocation) -> Iterator[InvokeResponse]:
        yield header_of()
        if details == "garbage":
            invocation.fail_with(grpc.StatusCode.ABORTED, b"\xff\xff")
        else:
            invocation.fail(grpc.StatusCode.ABORTED, "failed", reason="OTHER", domain="dapr.io", function="f")

    taken = call(server.address, server.add(fails))

    expected = error_fields(grpc.StatusCode.ABORTED, "failed", invocation_id="7f")
    assert fields_of(taken.failure) == expected


def test_nobody_answers(call: Call) -> None:
    """Where nobody serves, the error has gRPC's status and sentence."""
    taken = call(f"127.0.0.1:{free_port()}", "echo", b"abc")

    assert isinstance(taken.failure, FunctionError)
    assert taken.failure.code is grpc.StatusCode.UNAVAILABLE
    assert "failed to connect" in taken.failure.message


def test_a_timeout(call: Call, server: FakeFunctions) -> None:
    """A call that takes too long ends, and its error has the invocation's id from the header."""
    is_over = threading.Event()

    def endless(invocation: Invocation) -> Iterator[InvokeResponse]:
        invocation.context.add_callback(is_over.set)
        yield header_of()
        yield chunk_of(b"a")
        is_over.wait(DEADLINE_S)

    taken = call(server.address, server.add(endless), timeout_s=0.5)

    fields = fields_of(taken.failure)
    # gRPC words it in one way or another.
    message = str(fields["message"])
    assert "Deadline Exceeded" in message
    assert fields == error_fields(grpc.StatusCode.DEADLINE_EXCEEDED, message, invocation_id="7f")
    assert taken.chunks == [b"a"]
    assert is_over.wait(DEADLINE_S)


@pytest.mark.parametrize(
    ("answer", "chunks", "sentence"),
    [
        ([], [], "the server sent no header; expected one before the end"),
        ([chunk_of(b"a")], [], "the server sent a chunk before its header; expected the header first"),
        (
            [header_of(), chunk_of(b"a"), header_of()],
            [b"a"],
            "the server sent a second header; expected chunks after the first",
        ),
    ],
    ids=["nothing", "no header", "two headers"],
)
def test_a_server_breaks_the_protocol(
    call: Call, server: FakeFunctions, answer: list[InvokeResponse], chunks: list[bytes], sentence: str
) -> None:
    """An answer that isn't one header and then chunks is an error, and a call that goes on is cancelled."""
    is_over = threading.Event()
    was_over: list[bool] = []

    def wrong(invocation: Invocation) -> Iterator[InvokeResponse]:
        invocation.context.add_callback(is_over.set)
        yield from answer
        if answer:
            is_over.wait(DEADLINE_S)

    taken = call(
        server.address, server.add(wrong), after_all=lambda: was_over.append(is_over.wait(DEADLINE_S))
    )

    assert isinstance(taken.failure, FunctionError)
    assert (taken.failure.code, str(taken.failure)) == (grpc.StatusCode.INTERNAL, sentence)
    assert taken.chunks == chunks
    assert was_over == [True]


def test_a_result_that_is_whole_before_the_input(call: Call, server: FakeFunctions) -> None:
    """The result of a function that has enough is whole, also to a caller that takes it late."""
    has_ended = threading.Event()
    body = b"".join(bytes([number]) * 1000 for number in range(50))

    def enough(invocation: Invocation) -> Iterator[InvokeResponse]:
        invocation.context.add_callback(has_ended.set)
        yield header_of()
        next(invocation.chunks())
        for start in range(0, len(body), 1000):
            yield chunk_of(body[start : start + 1000])

    taken = call(
        server.address,
        server.add(enough),
        itertools.repeat(b"a" * 1000),
        after_header=lambda: has_ended.wait(DEADLINE_S),
    )

    assert (taken.body, taken.failure) == (body, None)


@pytest.mark.parametrize("kind", ["pipe", "endless"])
def test_a_function_that_does_not_read_all(call: Call, server: FakeFunctions, kind: str) -> None:
    """A function that has enough ends the call, whatever its input would have given; that is no failure."""
    read, write = os.pipe()

    def head(invocation: Invocation) -> Iterator[InvokeResponse]:
        yield header_of()
        yield chunk_of(next(invocation.chunks())[:1])

    with os.fdopen(read, "rb") as reader, os.fdopen(write, "wb", buffering=0) as writer:
        writer.write(b"ab")
        taken = call(
            server.address, server.add(head), reader if kind == "pipe" else itertools.repeat(b"a" * 1000)
        )

    assert taken == Taken(HEADER, [b"a"])


def test_a_source_that_fails(call: Call, server: FakeFunctions, caplog: pytest.LogCaptureFixture) -> None:
    """What a source raises reaches the caller as it was; the function never sees the end of its input."""
    has_chunk = threading.Event()
    is_over = threading.Event()
    ends: list[str] = []
    cause = KeyError("cause")
    failure = OSError("the disk is gone")

    def watched(invocation: Invocation) -> Iterator[InvokeResponse]:
        invocation.context.add_callback(is_over.set)
        yield header_of()
        yield from map(chunk_of, invocation.chunks())
        # gRPC's server also ends the requests of a call that is cancelled, a moment before it says so.
        if not is_over.wait(QUIET_S):
            ends.append("the input's end")

    def fails() -> Iterator[bytes]:
        yield b"a"
        assert has_chunk.wait(DEADLINE_S)
        raise failure from cause

    caplog.set_level(logging.DEBUG, "wasm_grpc")
    taken = call(server.address, server.add(watched), fails(), after_chunk=has_chunk.set)

    assert taken.chunks == [b"a"]
    assert taken.failure is failure
    assert (failure.__cause__, failure.__context__) == (cause, None)
    assert is_over.wait(DEADLINE_S)
    assert (ends, [each for each in caplog.records if each.levelno > logging.DEBUG]) == ([], [])


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (["text"], "body: a piece of it is str; expected bytes"),
        (io.StringIO("text"), "body: a piece of it is str; expected bytes"),
        (io.StringIO(""), "body: a piece of it is str; expected bytes"),
    ],
    ids=["list", "file", "empty file"],
)
def test_a_source_of_text(call: Call, server: FakeFunctions, body: Body, sentence: str) -> None:
    """Text is no body: which bytes it would be, nobody has said."""
    taken = call(server.address, "echo", body)

    assert isinstance(taken.failure, TypeError)
    assert str(taken.failure) == sentence


def test_no_body(call: Call, server: FakeFunctions) -> None:
    """What can't be a body is refused where it is given."""
    with pytest.raises(TypeError, match="body: is int; expected bytes, a binary file or an iterable"):
        call(server.address, "echo", 5)  # type: ignore[arg-type] # as a caller without types would


def test_a_server_that_does_not_read_holds_the_source_back(call: Call, server: FakeFunctions) -> None:
    """No more is taken of a source than has room on its way: some MiB, whatever waits behind."""
    room = 16
    taken_count = 0
    has_run_away = threading.Event()
    has_waited: list[bool] = []

    def source() -> Iterator[bytes]:
        nonlocal taken_count
        for _ in range(8 * room):
            taken_count += 1
            if taken_count > room:
                has_run_away.set()
            yield b"a" * CHUNK_BYTES

    def slow(invocation: Invocation) -> Iterator[InvokeResponse]:
        yield header_of()
        has_waited.append(not has_run_away.wait(QUIET_S))
        yield chunk_of(str(sum(map(len, invocation.chunks()))).encode())

    taken = call(server.address, server.add(slow), source())

    assert has_waited == [True]
    assert taken == Taken(HEADER, [str(8 * room * CHUNK_BYTES).encode()])


def test_a_caller_that_does_not_read_holds_the_function_back(call: Call, server: FakeFunctions) -> None:
    """What a caller doesn't take stays with the function."""
    room = 64  # On a busy machine a client of gRPC gives a stream more room.
    has_run_away = threading.Event()
    has_waited: list[bool] = []

    def flood(invocation: Invocation) -> Iterator[InvokeResponse]:
        yield header_of()
        for number in range(2 * room):
            if number > room:
                has_run_away.set()
            yield chunk_of(b"a" * CHUNK_BYTES)

    taken = call(
        server.address,
        server.add(flood),
        after_header=lambda: has_waited.append(not has_run_away.wait(QUIET_S)),
    )

    assert has_waited == [True]
    assert len(taken.body) == 2 * room * CHUNK_BYTES
