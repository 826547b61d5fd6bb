"""The demo's course: serve, find the sidecar, turn the sample grey, read a digit, say what to try, wait."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import http.client
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import grpc
from dapr.proto.common.v1 import common_pb2
from dapr.proto.runtime.v1 import appcallback_pb2_grpc
from google.protobuf import any_pb2

from wasm_grpc.core.errors import HostError
from wasm_grpc.demo.children import child, find_daprd, free_ports, serve_command, sidecar_command
from wasm_grpc.demo.picture import paint_digit, paint_sample

__all__ = ["APP_ID", "Tour", "show"]

APP_ID = "wasm-grpc-demo"
Call = Callable[[str, bytes, str], Awaitable[bytes]]
"""Calls a method with a picture and what is accepted, and gives the answer; raises `HostError`."""

_READY_S = 60.0
"""The longest wait for the server; on its first start it compiles the functions."""
_SIDECAR_S = 30.0
_POLL_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Tour:
    """
    What the demo is told.

    Attributes:
        functions: Folder of the sample functions.
        output: Folder for the pictures and the logs.
        port: Of the server; 0 takes any.
        say: Prints one line.
    """

    functions: Path
    output: Path
    port: int
    say: Callable[[str], None]


async def show(tour: Tour) -> None:
    """
    Run the demo until it is cancelled; then every process that it started is ended.

    Raises:
        HostError: A process did not come up, or the call failed; names the log.
    """
    tour.output.mkdir(parents=True, exist_ok=True)
    sample = tour.output / "sample.jpg"
    grey = tour.output / "grey.png"
    digit = tour.output / "digit.png"
    sample.write_bytes(await asyncio.to_thread(paint_sample))
    digit.write_bytes(await asyncio.to_thread(paint_digit))
    call: Call
    async with contextlib.AsyncExitStack() as stack:
        server_log = tour.output / "server.log"
        server = await stack.enter_async_context(
            child(serve_command(tour.functions, tour.port), log=server_log)
        )
        address = await _wait_serving(server, server_log, tour)
        daprd = find_daprd()
        if daprd is None:
            tour.say("no daprd found (DAPRD, PATH, ~/.dapr/bin), so the server is called directly")
            call = functools.partial(_call_server, address)
            more = f"wasm-grpc invoke grayscale --address {address} --data {sample} --output {grey}"
        else:
            http_port, grpc_port = free_ports(2)
            command = sidecar_command(
                daprd,
                app_id=APP_ID,
                app_port=int(address.rpartition(":")[2]),
                http_port=http_port,
                grpc_port=grpc_port,
            )
            sidecar_log = tour.output / "daprd.log"
            env = {"DAPR_HOST_IP": "127.0.0.1"}
            sidecar = await stack.enter_async_context(child(command, log=sidecar_log, env=env))
            await _wait_sidecar(sidecar, http_port, sidecar_log)
            tour.say(f"sidecar 127.0.0.1:{http_port} (app id {APP_ID})")
            call = functools.partial(_call_sidecar, http_port)
            url = f"http://127.0.0.1:{http_port}{_path('grayscale')}"
            more = f"curl --data-binary @{sample} {url} --output {grey}"
        grey.write_bytes(await call("grayscale", sample.read_bytes(), "image/png"))
        tour.say(f"picture {sample}")
        tour.say(f"grey    {grey}")
        tour.say(f"digit   {digit}")
        tour.say(f"read    {await _read(call, digit.read_bytes())}")
        tour.say(f"try     {more}")
        tour.say("Ctrl-C ends it")
        await server.wait()
        raise HostError(f"the server has ended; expected it to serve on; see {server_log}")


async def _read(call: Call, digit: bytes) -> str:
    try:
        return (await call("classify", digit, "text/plain")).decode().strip()
    except HostError as exc:  # there may be no inference backend for this machine
        return f"not read: {exc}"


def _path(method: str) -> str:
    return f"/v1.0/invoke/{APP_ID}/method/{method}"


async def _wait_serving(server: asyncio.subprocess.Process, log: Path, tour: Tour) -> str:
    assert server.stdout is not None  # noqa: S101 - it was started with a pipe
    try:
        line = (await asyncio.wait_for(server.stdout.readline(), _READY_S)).decode().strip()
    except asyncio.TimeoutError:
        raise HostError(f"the server was not ready after {_READY_S:g} s; see {log}") from None
    if not line.startswith("serving "):
        raise HostError(_last_words(log) or f"the server ended at once; see {log}")
    tour.say(line)
    return line.split()[1]


def _last_words(log: Path) -> str:
    return "\n".join(log.read_text("utf-8", "replace").strip().splitlines()[-5:])


async def _wait_sidecar(sidecar: asyncio.subprocess.Process, port: int, log: Path) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _SIDECAR_S
    # daprd has no event to wait for: its health is polled, as its own documentation does.
    while not await asyncio.to_thread(_is_healthy, port):
        if sidecar.returncode is not None or loop.time() > deadline:
            raise HostError(f"daprd did not come up; see {log}")
        await asyncio.sleep(_POLL_S)


def _is_healthy(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
        connection.request("GET", "/v1.0/healthz")
        return connection.getresponse().status == http.client.NO_CONTENT
    return False


async def _call_sidecar(port: int, method: str, picture: bytes, accept: str) -> bytes:
    return await asyncio.to_thread(_post, port, _path(method), picture, accept)


def _post(port: int, path: str, picture: bytes, accept: str) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    with contextlib.closing(connection):
        try:
            connection.request("POST", path, picture, {"Accept": accept})
            response = connection.getresponse()
            answer = response.read()
        except (OSError, http.client.HTTPException) as exc:
            raise HostError(f"the sidecar did not answer: {exc}") from exc
    if response.status != http.client.OK:
        raise HostError(f"the sidecar answered {response.status}: {answer.decode('utf-8', 'replace')}")
    return answer


async def _call_server(address: str, method: str, picture: bytes, accept: str) -> bytes:
    request = common_pb2.InvokeRequest(method=method, data=any_pb2.Any(value=picture))
    async with grpc.aio.insecure_channel(
        address, options=[("grpc.max_receive_message_length", -1)]
    ) as channel:
        try:
            stub = appcallback_pb2_grpc.AppCallbackStub(channel)
            response = await stub.OnInvoke(request, metadata=[("accept", accept)])
        except grpc.aio.AioRpcError as exc:
            raise HostError(f"{exc.code().name}: {exc.details()}") from exc
    return bytes(response.data.value)
