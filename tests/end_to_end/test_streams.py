"""Streams through sidecars: what passes, each way, and how a stream that fails looks to its caller."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest

from end_to_end.app import APP_ID, App, run_app
from end_to_end.streams import Way, open_way
from integration.client import Failure, connect, failure_in
from integration.stream_calls import METHOD, Header, StreamCall, chunk_message, header_message, open_call
from wasm_grpc.v1 import functions_pb2 as pb

__all__ = []

pytestmark = pytest.mark.asyncio(loop_scope="session")

MIB = 1 << 20
LARGEST_CHUNK = 4 * MIB - 5
"""daprd takes messages of 4 MiB; a chunk of this size has a tag and four bytes of length before it."""
DAPRDS_WORD = {
    "own": {},
    "remote": {"HTTP_DAPR_CALLER_APP_ID": "caller", "HTTP_DAPR_CALLEE_APP_ID": APP_ID},
}
"""What daprd says of who calls whom: nothing of a call that no other sidecar sent."""


async def test_bytes_come_back_while_others_are_still_to_go(way: Way) -> None:
    """The answer's header comes before any input, then each chunk is answered before the next is sent."""
    answers = []

    async with way.open("echo") as call:
        header = await call.header()
        for number in range(10):
            await call.send(b"%d" % number)
            answers.append(await call.exactly(1))
        await call.end()
        rest = await call.rest()

    assert header == Header(content_type="application/octet-stream")
    assert header.invocation_id
    assert (answers, rest) == ([b"%d" % number for number in range(10)], b"")


async def test_a_guest_still_answers_after_the_end_of_its_input(way: Way) -> None:
    """The half close passes: 64 MiB come after it, in their order and in chunks of at most 1 MiB."""
    numbers, sizes, rest = [], set(), b""

    async with way.open("gush") as call:
        await call.end()
        await call.header()
        while chunk := await call.chunk():
            sizes.add(len(chunk))
            rest += chunk
            numbers += [
                int.from_bytes(rest[at : at + 4], "little") for at in range(0, len(rest) - 65_535, 65_536)
            ]
            rest = rest[len(rest) // 65_536 * 65_536 :]

    assert (numbers, rest) == (list(range(1024)), b"")
    assert max(sizes) <= MIB


async def environment(way: Way, call_metadata: dict[str, str], **fields: Any) -> dict[str, str]:
    """Have a guest tell its environment."""
    async with way.open("environment", call_metadata=call_metadata.items(), **fields) as call:
        await call.header()
        output = await call.rest()
    return dict(variable.split("=", 1) for variable in output.decode().rstrip("\0").split("\0"))


async def test_what_a_guest_learns_of_its_request(way: Way) -> None:
    """Header and metadata become its environment, and of the tokens nothing."""
    told = await environment(
        way,
        {"x-beside-it": "2"},
        verb="PUT",
        query="a=1&b",
        content_type="text/x-own",
        metadata={"x-in-header": "1"},
    )

    assert told == {
        "REQUEST_METHOD": "PUT",
        "QUERY_STRING": "a=1&b",
        "CONTENT_TYPE": "text/x-own",
        "PATH_INFO": "",
        "HTTP_X_IN_HEADER": "1",
        "HTTP_X_BESIDE_IT": "2",
        "HTTP_DAPR_STREAM": "true",
        **DAPRDS_WORD[way.name],
    }


async def test_who_calls_is_what_the_callers_sidecar_says(way: Way) -> None:
    """Who claims another app's id through a sidecar of their own is refused: daprd adds its own word to it."""
    if way.name == "own":
        # Of a call by its own sidecar daprd says nothing: whoever may call there is the app.
        told = await environment(way, {"dapr-caller-app-id": "admin"})
        assert told["HTTP_DAPR_CALLER_APP_ID"] == "admin"
        return
    async with way.open("environment", call_metadata=[("dapr-caller-app-id", "admin")]) as call:
        came, failure = await call.failure()

    assert (came, failure) == (
        b"",
        Failure(
            code=grpc.StatusCode.INVALID_ARGUMENT,
            message="metadata dapr-caller-app-id: appears twice; expected only the sidecar's value",
            reason="INVALID_REQUEST",
        ),
    )


async def test_a_callers_own_word_on_who_it_is_is_refused(way: Way) -> None:
    """In the header, which sidecars don't read, daprd's names are refused."""
    async with way.open("environment", metadata={"dapr-caller-app-id": "admin"}) as call:
        came, failure = await call.failure()

    assert (came, failure) == (
        b"",
        Failure(
            code=grpc.StatusCode.INVALID_ARGUMENT,
            message="header: metadata 'dapr-caller-app-id' is reserved; expected a key without dapr-, grpc- or -bin",
            reason="INVALID_REQUEST",
        ),
    )


async def test_a_stream_past_the_sidecar_needs_the_token(stream_app: App) -> None:
    """The server takes no stream without the app's token, which a caller through daprd never sees."""
    async with connect(stream_app.server.address) as direct, open_call(direct, None) as call:
        came, failure = await call.failure()

    assert (came, failure.code, failure.reason) == (
        b"",
        grpc.StatusCode.UNAUTHENTICATED,
        "UNAUTHENTICATED",
    )


async def test_the_headers_of_a_cgi_response(way: Way) -> None:
    """They are the answer's header, before the guest has read anything."""
    async with way.open("page") as call:
        header = await call.header()
        await call.send(b"a,b")
        row = await call.exactly(3)
        await call.end()
        rest = await call.rest()

    assert header == Header(content_type="text/csv", metadata={"x-tag": "a, b"})
    assert (row, rest) == (b"a,b", b"")


@dataclass(frozen=True, kw_only=True)
class Case:
    """A stream that fails, what comes of it before, and how."""

    method: str
    body: bytes = b""
    came: bytes = b""
    failure: Failure


CASES = {
    "unknown method": Case(
        method="ecco",
        failure=Failure(
            code=grpc.StatusCode.NOT_FOUND,
            message="no function serves method 'ecco'; did you mean 'echo'?",
            reason="UNKNOWN_METHOD",
        ),
    ),
    "rejected": Case(
        method="obey",
        body=b"r",
        came=b"r",
        failure=Failure(
            code=grpc.StatusCode.INVALID_ARGUMENT,
            message="function 'obey': rejected the input: no picture: expected a PNG",
            reason="REJECTED",
            function="obey",
        ),
    ),
    "trap": Case(
        method="obey",
        body=b"t",
        came=b"t",
        failure=Failure(
            code=grpc.StatusCode.INTERNAL,
            message="function 'obey': unreachable",
            reason="TRAPPED",
            function="obey",
        ),
    ),
    "idle": Case(
        method="idle",
        body=b"something",
        came=b"something",
        failure=Failure(
            code=grpc.StatusCode.DEADLINE_EXCEEDED,
            message="function 'idle': no chunk came or went for 0.3 s",
            reason="TIMEOUT",
            function="idle",
            limit="limits.idle_timeout",
        ),
    ),
    "output limit": Case(
        method="short",
        body=bytes(4097),
        failure=Failure(
            code=grpc.StatusCode.RESOURCE_EXHAUSTED,
            message="function 'short': guest wrote over 4 KiB to standard output",
            reason="OUTPUT_LIMIT",
            function="short",
            limit="limits.output",
        ),
    ),
}


@pytest.mark.parametrize("name", CASES)
async def test_each_failure_passes_whole(way: Way, name: str) -> None:
    """Code, sentence and ErrorInfo are the server's, after what the guest wrote before."""
    case = CASES[name]

    async with way.open(case.method) as call:
        if case.body:
            await call.send(case.body)
        # A call that is not taken has no header.
        header = await call.header() if case.failure.function else None
        came, failure = await call.failure()

    assert (came, failure) == (case.came, case.failure)
    line = await way.app.server.process.stderr.match(
        rf"invocation {failure.invocation_id}: {case.failure.reason}: "
    )
    assert line.string.endswith(case.failure.message)
    if header is not None:
        assert header.invocation_id == failure.invocation_id


def answer_to(way: Way, chunk: bytes) -> bytes:
    """Echo one chunk; blocking, because gRPC's calls on asyncio lose the status when they end amid a write."""
    with grpc.insecure_channel(way.sidecar.grpc_address) as channel:
        invoke = channel.stream_stream(
            METHOD,
            request_serializer=pb.InvokeRequest.SerializeToString,
            response_deserializer=pb.InvokeResponse.FromString,
        )
        messages = iter([header_message("echo"), chunk_message(chunk)])
        return b"".join(each.chunk for each in invoke(messages, metadata=way.metadata, timeout=15))


async def test_the_largest_chunk_that_daprd_takes(way: Way) -> None:
    """A message of exactly 4 MiB passes."""
    chunk = bytes(range(251)) * (LARGEST_CHUNK // 251) + b"the rest"
    chunk = chunk[:LARGEST_CHUNK].ljust(LARGEST_CHUNK, b".")

    answer = await asyncio.to_thread(answer_to, way, chunk)

    assert answer == chunk


async def test_a_larger_chunk_is_refused_by_daprd(way: Way) -> None:
    """One byte more is RESOURCE_EXHAUSTED, by daprd; to the server it looks as if the caller left, and is no fault."""
    errors: list[Any] = []

    for _ in range(5):
        with pytest.raises(grpc.RpcError) as caught:
            await asyncio.to_thread(answer_to, way, bytes(LARGEST_CHUNK + 1))
        errors.append(caught.value)

    message = "grpc: received message larger than max (4194305 vs. 4194304)"
    expected = (grpc.StatusCode.RESOURCE_EXHAUSTED, message)
    assert {(error.code(), error.details()) for error in errors} == {expected}
    reply = await way.app.invoke("echo", b"after it")
    assert (reply.status, reply.body) == (200, b"after it")
    assert [line for line in way.app.server.process.stderr.lines if "internal error" in line] == []


async def test_an_app_that_nobody_knows(way: Way) -> None:
    """The status is daprd's own: no status of ours, no ErrorInfo."""
    metadata = [
        *((key, value) for key, value in way.metadata if key != "dapr-app-id"),
        ("dapr-app-id", "nobody"),
    ]

    async with open_call(way.caller, None, call_metadata=metadata) as call:
        came, failure = await call.failure()

    assert (came, failure) == (
        b"",
        Failure(code=grpc.StatusCode.UNKNOWN, message="no host found with the given ID", domain=""),
    )


# What `dapr-stream` is for. Without it a call passes as well, message by message, as long as the caller's
# sidecar has no resiliency policy for the app.
POLICIES: dict[str, tuple[dict[str, str], Failure]] = {
    "timeout": (
        {"timeout": "short"},
        Failure(code=grpc.StatusCode.DEADLINE_EXCEEDED, message="context deadline exceeded", domain=""),
    ),
    "retry": (
        {"retry": "often"},
        Failure(
            code=grpc.StatusCode.FAILED_PRECONDITION,
            message="cannot use resiliency policies with retries on streaming RPCs",
            domain="",
        ),
    ),
}


async def ended(way: Way) -> Failure:
    """Wait for daprd to end a call that goes well otherwise."""
    async with way.open("echo") as call:
        await call.send(b"something")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await answers_to(call)
    return failure_in(caught.value)


async def answers_to(call: StreamCall) -> list[pb.InvokeResponse]:
    """Wait for all messages of an answer."""
    answers = []
    while answer := await call.message():
        answers.append(answer)
    return answers


@pytest.mark.parametrize("policy", POLICIES)
async def test_resiliency_is_not_for_streams(
    policy: str, stream_functions: Path, cache_environment: dict[str, str], tmp_path: Path
) -> None:
    """With `dapr-stream` the caller's timeout and retries don't hold; without it they end the call."""
    target, expected = POLICIES[policy]
    policies = {
        "timeouts": {"short": "300ms"},
        "retries": {"often": {"policy": "constant", "duration": "10ms", "maxRetries": 3}},
    }
    resiliency = {
        "apiVersion": "dapr.io/v1alpha1",
        "kind": "Resiliency",
        "metadata": {"name": "caller"},
        "spec": {"policies": policies, "targets": {"apps": {APP_ID: target}}},
    }
    resources = tmp_path / "resources"
    resources.mkdir()
    (resources / "resiliency.yaml").write_text(json.dumps(resiliency))
    only = ["--only", "echo"]

    async with run_app(stream_functions, tmp_path, *only, env=cache_environment, resources=resources) as app:
        async with open_way(app, "remote", is_stream=False) as way:
            failure = await ended(way)
        async with open_way(app, "remote") as way, way.open("echo") as call:
            await call.header()
            # It outlives a younger one without `dapr-stream`, by which the timeout is known to be over.
            async with open_way(app, "remote", is_stream=False) as other:
                await ended(other)
            await call.send(b"still here")
            answer = await call.exactly(10)

    assert (failure, answer) == (expected, b"still here")
