"""Calls to Dapr that don't end well: the sidecar or the guest is killed, or there are very many of them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
from dapr.proto.common.v1 import common_pb2
from dapr.proto.runtime.v1 import appcallback_pb2_grpc

from end_to_end.dapr_app import STATE, DaprApp, run_dapr_app, write_caller
from rig import Daprd

__all__ = []

pytestmark = pytest.mark.asyncio

GRANTS = f'state = ["{STATE}/orders-*"]\ninvoke = ["slow/wait"]'
GET = b"json GetState\n" + json.dumps({"storeName": STATE, "key": "orders-1"}).encode()
WAIT = b"json InvokeService\n" + json.dumps({"id": "slow", "message": {"method": "wait"}}).encode()
CALLS = 10_000
CALLERS = 16
GROWTH_KIB = 8 * 1024


@dataclass
class SlowApp(appcallback_pb2_grpc.AppCallbackServicer):
    """An app that takes each call, and answers none."""

    is_called: asyncio.Event = field(default_factory=asyncio.Event)

    async def OnInvoke(self, request: common_pb2.InvokeRequest, context: Any) -> common_pb2.InvokeResponse:
        """Wait for ever."""
        self.is_called.set()
        await asyncio.Event().wait()
        return common_pb2.InvokeResponse()


@asynccontextmanager
async def slow_app(folder: Path) -> AsyncIterator[SlowApp]:
    """Run such an app behind a sidecar of its own."""
    app = SlowApp()
    server = grpc.aio.server()
    appcallback_pb2_grpc.add_AppCallbackServicer_to_server(app, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        # It would wait for the call that the app never answers.
        flags = ["--dapr-graceful-shutdown-seconds=0"]
        async with Daprd(app_id="slow", folder=folder, app_port=port, arguments=flags) as sidecar:
            await sidecar.app_ready()
            yield app
    finally:
        await server.stop(None)


@asynccontextmanager
async def served(
    engine: str, folder: Path, env: dict[str, str], *flags: str
) -> AsyncIterator[tuple[DaprApp, appcallback_pb2_grpc.AppCallbackStub]]:
    """Serve a function that calls Dapr, and call it past its sidecar, which may be killed."""
    functions = folder / "functions"
    write_caller(functions, "caller", GRANTS, sections='[limits]\ntimeout = "20s"\n[pool]\nqueue = 100\n')
    async with (
        run_dapr_app(functions, folder, "--engine", engine, *flags, env=env, has_tokens=False) as app,
        grpc.aio.insecure_channel(app.server.address) as channel,
    ):
        yield app, appcallback_pb2_grpc.AppCallbackStub(channel)


def call(stub: appcallback_pb2_grpc.AppCallbackStub, body: bytes) -> Any:
    """Call the function."""
    request = common_pb2.InvokeRequest(method="caller")
    request.data.value = body
    return stub.OnInvoke(request)


def workers_of(server: int) -> list[int]:
    """Return the processes of a server that run guests."""
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            lines = dict(line.split(":\t", 1) for line in status.read_text().splitlines() if ":\t" in line)
        except OSError:  # it has just ended
            continue
        if lines["Name"] == "wasm-worker" and int(lines["PPid"]) == server:
            found.append(int(lines["Pid"]))
    return found


def memory_kib(pid: int) -> int:
    """Return the resident memory of a process."""
    line = next(
        line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS")
    )
    return int(line.split()[1])


async def test_a_sidecar_that_is_killed_during_a_call(
    engine: str, cache_environment: dict[str, str], tmp_path: Path
) -> None:
    """The guest is told that Dapr can't be reached, and so is the next one; the server goes on."""
    async with (
        served(engine, tmp_path, cache_environment) as (app, stub),
        slow_app(tmp_path) as slow,
    ):
        waiting = call(stub, WAIT)
        await slow.is_called.wait()
        app.sidecar.process.signal(signal.SIGKILL)

        for failing in (waiting, call(stub, GET)):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await failing
            assert caught.value.code() is grpc.StatusCode.INTERNAL
            assert "Dapr or the app can't be reached" in (caught.value.details() or "")


async def test_a_guest_that_is_killed_during_a_call(
    engine: str, cache_environment: dict[str, str], tmp_path: Path
) -> None:
    """Its invocation alone fails, and another worker takes the next one, though Dapr still waits for the app."""
    flags = ("--workers", "1", "--max-workers", "1")
    async with (
        served(engine, tmp_path, cache_environment, *flags) as (app, stub),
        slow_app(tmp_path) as slow,
    ):
        waiting = call(stub, WAIT)
        await slow.is_called.wait()
        (worker,) = workers_of(app.server.process.pid)
        os.kill(worker, signal.SIGKILL)

        with pytest.raises(grpc.aio.AioRpcError, match="its worker died while running it"):
            await waiting
        assert (await call(stub, GET)).data.value == b"{}"


@pytest.mark.timeout(120)
async def test_ten_thousand_calls(engine: str, cache_environment: dict[str, str], tmp_path: Path) -> None:
    """Server and workers don't grow, and nothing stays open."""
    async with served(engine, tmp_path, cache_environment, "--workers", "2") as (app, stub):

        async def make(count: int) -> None:
            async def one_caller() -> None:
                for _ in range(count // CALLERS):
                    assert (await call(stub, GET)).data.value == b"{}"

            await asyncio.gather(*(one_caller() for _ in range(CALLERS)))

        pid = app.server.process.pid
        await make(CALLS // 5)
        descriptors = len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208
        before = {each: memory_kib(each) for each in (pid, *workers_of(pid))}

        await make(CALLS)

        after = {each: memory_kib(each) for each in before if Path(f"/proc/{each}").exists()}
        assert pid in after
        assert len(after) > 1
        growth = {each: after[each] - before[each] for each in after}
        assert max(growth.values()) < GROWTH_KIB, growth
        assert len(os.listdir(f"/proc/{pid}/fd")) <= descriptors + CALLERS  # noqa: PTH208
