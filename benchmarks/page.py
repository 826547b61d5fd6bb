"""What the demo's page costs over a direct call of its function through the same sidecar."""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import grpc
from dapr.proto.common.v1 import common_pb2
from dapr.proto.runtime.v1 import dapr_pb2_grpc, invoke_pb2

from benchmarks.cases import Subject
from benchmarks.pictures import paint_photo
from benchmarks.processes import ProgramError, program, serving
from wasm_grpc.demo.daprd import find_daprd
from wasm_grpc.demo.sidecars import open_sidecars

__all__ = ["PageCost", "measure_page"]

_APP = "image-api-grayscale"
_WEB = "web-port"
_METHOD = "api/image"
_UNCOUNTED = 20
"""Calls of each kind before it counts: connections, and every worker's first."""
_LIMITS = [("grpc.max_receive_message_length", -1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class PageCost:
    """
    Grayscale of the painted photo, medians over calls that take turns.

    Attributes:
        page_ms: By the page.
        direct_ms: By the sidecar's own API.
        sidecar: Which one: "daprd" or "development".
    """

    page_ms: float
    direct_ms: float
    sidecar: str

    @property
    def cost_ms(self) -> float:
        """
        The page's own cost.
        """
        return self.page_ms - self.direct_ms


def measure_page(subject: Subject, *, calls: int, env: Mapping[str, str]) -> PageCost:
    """
    Start a server, sidecars and the page, and call both ways in turn.

    Raises:
        ProgramError: One did not start, or a call failed.
    """
    command = [*subject.command, "--route", f"{_METHOD}=grayscale"]
    with serving(command, env=env) as server, tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_measure(server.address, Path(folder), calls))


async def _measure(address: str, folder: Path, calls: int) -> PageCost:
    daprd = find_daprd()
    async with contextlib.AsyncExitStack() as stack:
        apps = {_APP: address, _WEB: ""}
        sidecars = await stack.enter_async_context(open_sidecars(apps, daprd=daprd, folder=folder))
        endpoint = sidecars[_WEB].grpc_endpoint
        web = stack.enter_context(
            program(
                [sys.executable, "-m", "wasm_grpc", "web", "--port", "0"],
                env={"DAPR_GRPC_ENDPOINT": endpoint},
            )
        )
        line = await asyncio.to_thread(web.stdout.readline) if web.stdout else ""
        if not line.startswith("page "):
            raise ProgramError("wasm-grpc web: shows no page")
        session = await stack.enter_async_context(aiohttp.ClientSession())
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(endpoint, options=_LIMITS))
        stub, picture = dapr_pb2_grpc.DaprStub(channel), paint_photo()
        url = f"{line.split()[1]}/api/hello"

        async def by_page() -> int:
            headers = {"api": "grayscale", "Content-Type": "image/jpeg"}
            async with session.post(url, data=picture, headers=headers) as response:
                body = await response.read()
                return len(body) if response.ok else 0

        async def direct() -> int:
            message = common_pb2.InvokeRequest(method=_METHOD, content_type="image/jpeg")
            message.data.value = picture
            message.http_extension.verb = common_pb2.HTTPExtension.POST
            request = invoke_pb2.InvokeServiceRequest(id=_APP, message=message)
            return len((await stub.InvokeService(request)).data.value)

        times = [(await _time(by_page), await _time(direct)) for _ in range(_UNCOUNTED + calls)]
    del times[:_UNCOUNTED]
    return PageCost(
        page_ms=statistics.median(page for page, _ in times) * 1e3,
        direct_ms=statistics.median(direct for _, direct in times) * 1e3,
        sidecar="daprd" if daprd else "development",
    )


async def _time(call: Callable[[], Awaitable[int]]) -> float:
    begin = time.perf_counter()
    if not await call():
        raise ProgramError("the page or the sidecar: a call failed")
    return time.perf_counter() - begin
