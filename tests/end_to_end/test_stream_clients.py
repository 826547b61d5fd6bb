"""Programs that call streams through a sidecar: our clients, our command, and a tool that knows no `.proto`."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import grpc
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from end_to_end.app import APP_ID
from end_to_end.streams import Way, random_chunks
from rig import installed_command
from rig.environment import clean_environment
from wasm_grpc.client import FunctionError, FunctionsClient, aio

__all__ = []

pytestmark = pytest.mark.asyncio(loop_scope="session")

MIB = 1 << 20
BODY_BYTES = 16 * MIB
SERVICE = "wasm_grpc.v1.Functions"
UNREAD = 40
"""Calls of a function that ends before it has read its input, at many moments of sending it."""


@pytest.fixture(autouse=True)
def beside_the_sidecar(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests run with the environment that `dapr run` gives to a program beside the sidecar."""
    for name, value in way.sidecar.app_environment.items():
        monkeypatch.setenv(name, value)


async def test_the_blocking_client(way: Way, tmp_path: Path) -> None:
    """Three lines stream a file through the sidecar, as it is."""
    file = tmp_path / "body"
    file.write_bytes(b"".join(random_chunks(BODY_BYTES, MIB)))

    def call() -> bytes:
        with FunctionsClient(APP_ID) as functions, file.open("rb") as body:
            return b"".join(chunk for chunk in functions.stream("echo", body))

    assert await asyncio.to_thread(call) == file.read_bytes()


async def test_the_asyncio_client(way: Way, tmp_path: Path) -> None:
    """So does its sister."""
    file = tmp_path / "body"
    file.write_bytes(b"".join(random_chunks(BODY_BYTES, MIB)))

    with file.open("rb") as body:
        async with aio.FunctionsClient(APP_ID) as functions:
            came = [chunk async for chunk in functions.stream("echo", body)]

    assert b"".join(came) == file.read_bytes()


async def test_the_asyncio_client_answers_itself(way: Way) -> None:
    """A body can depend on what has come back: both flow at once."""
    echoed: asyncio.Queue[bytes] = asyncio.Queue()

    async def body() -> AsyncIterator[bytes]:
        yield b"0"
        for number in range(1, 5):
            assert await echoed.get() == b"%d" % (number - 1)
            yield b"%d" % number

    came = []
    async with aio.FunctionsClient(APP_ID) as functions:
        async for chunk in functions.stream("echo", body()):
            came.append(chunk)
            echoed.put_nowait(chunk)

    assert came == [b"0", b"1", b"2", b"3", b"4"]


def bodies() -> Iterator[list[bytes]]:
    """Return bodies of few and of many pieces, small and large."""
    return ([bytes(size)] * count for size in (1, MIB // 4) for count in range(UNREAD // 2))


async def test_the_blocking_client_of_a_function_that_reads_nothing(way: Way) -> None:
    """Its result is whole, whatever of the body was on its way when it ended."""

    def call() -> set[bool]:
        with FunctionsClient(APP_ID) as functions:
            return {bool(functions.stream("environment", body).read()) for body in bodies()}

    assert await asyncio.to_thread(call) == {True}


async def test_the_asyncio_client_of_a_function_that_reads_nothing(way: Way) -> None:
    """The same on asyncio."""
    async with aio.FunctionsClient(APP_ID) as functions:
        results = [await functions.stream("environment", body).read() for body in bodies()]

    assert {bool(result) for result in results} == {True}


async def test_a_failure_at_the_clients(way: Way) -> None:
    """Both raise the same, with what the ErrorInfo says, after what came before."""

    def call() -> tuple[bytes, FunctionError]:
        with FunctionsClient(APP_ID) as functions:
            stream = functions.stream("obey", b"t")
            came = next(stream)
            with pytest.raises(FunctionError) as caught:
                next(stream)
            return came, caught.value

    came, error = await asyncio.to_thread(call)
    async with aio.FunctionsClient(APP_ID) as functions:
        stream = functions.stream("obey", b"t")
        came_too = await anext(stream)
        with pytest.raises(FunctionError) as caught:
            await anext(stream)

    told = (grpc.StatusCode.INTERNAL, "function 'obey': unreachable", "TRAPPED", "obey")
    for each in (error, caught.value):
        assert (each.code, each.message, each.reason, each.function) == told
        assert each.invocation_id
    assert (came, came_too) == (b"t", b"t")


async def test_the_command_prints_before_its_input_ends(way: Way) -> None:
    """`wasm-grpc invoke --stream --app-id` answers each line while its input stays open."""
    command = [installed_command(), "invoke", "echo", "--stream", "--app-id", APP_ID]

    def talk() -> tuple[list[bytes], bytes, bytes, int]:
        with subprocess.Popen(
            command,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=clean_environment(way.sidecar.app_environment),
        ) as process:
            assert process.stdin
            assert process.stdout
            assert process.stderr
            answers = []
            for line in (b"one\n", b"two\n"):
                process.stdin.write(line)
                answers.append(os.read(process.stdout.fileno(), 100))
            process.stdin.close()
            return answers, process.stdout.read(), process.stderr.read(), process.wait(10)

    assert await asyncio.to_thread(talk) == ([b"one\n", b"two\n"], b"", b"", 0)


async def test_a_tool_that_learns_the_service_by_reflection(way: Way) -> None:
    """
    From the server it has all that it needs to call through the sidecar.

    Not from the sidecar: daprd answers such questions itself, and knows its own services only.
    """

    def call() -> tuple[list[str], list[str], bytes]:
        with grpc.insecure_channel(way.app.server.address) as channel:
            database = ProtoReflectionDescriptorDatabase(channel)
            services = list(database.get_services())
            method = DescriptorPool(database).FindServiceByName(SERVICE).methods_by_name["Invoke"]
            request, response = GetMessageClass(method.input_type), GetMessageClass(method.output_type)
        with grpc.insecure_channel(way.sidecar.grpc_address) as channel:
            invoke = channel.stream_stream(
                f"/{SERVICE}/Invoke",
                request_serializer=request.SerializeToString,
                response_deserializer=response.FromString,
            )
            messages = [request(header={"method": "echo"}), request(chunk=b"one"), request(chunk=b"two")]
            answers = list(invoke(iter(messages), metadata=way.metadata, timeout=10))
        parts = [answer.WhichOneof("part") for answer in answers]
        return services, parts, b"".join(getattr(answer, "chunk") for answer in answers)  # noqa: B009 - its type is not known here

    services, parts, came = await asyncio.to_thread(call)

    assert services == [
        "dapr.proto.runtime.v1.AppCallback",
        "dapr.proto.runtime.v1.AppCallbackAlpha",
        "dapr.proto.runtime.v1.AppCallbackHealthCheck",
        "grpc.reflection.v1alpha.ServerReflection",
        "wasm_grpc.v1.Functions",
    ]
    assert (parts[0], set(parts[1:]), came) == ("header", {"chunk"}, b"onetwo")
