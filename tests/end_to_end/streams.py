"""Streams through sidecars: functions to stream through, the ways that lead there, and what went by."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from end_to_end.app import APP_ID, App
from integration.client import Caller
from integration.guests import write_function, write_functions
from integration.processes import until, worker_pids
from integration.stream_calls import StreamCall, open_call
from rig import Daprd

__all__ = [
    "WAYS",
    "Passed",
    "Way",
    "at_rest",
    "echo",
    "open_way",
    "random_chunks",
    "receive_all",
    "send_all",
    "write_stream_functions",
]

WAYS = ["own", "remote"]
"""By the app's own sidecar alone; by another app's, which calls the app's."""

_ENDLESS = '[limits]\ntimeout = "unlimited"\noutput = "unlimited"\nqueue_wait = "30s"\n'
_REST_LOOKS = 40
"""200 ms: no guest that can go on rests for so long."""


def write_stream_functions(folder: Path) -> Path:
    """Write the functions: most as their guests say; `idle`, `short` and `crowd` echo within limits of their own."""
    write_functions(folder, dict.fromkeys(["echo", "obey", "flood-stdout", "gush"], _ENDLESS))
    write_functions(folder, {"environment": "", "page": 'response = "cgi"\n'})
    write_function(folder, "idle", guest="echo", sections='[limits]\nidle_timeout = "300ms"\n')
    write_function(folder, "short", guest="echo", sections='[limits]\noutput = "4KiB"\n')
    write_function(folder, "crowd", guest="echo", sections=f"{_ENDLESS}[pool]\nqueue = 20\n")
    return folder


@dataclass(frozen=True, kw_only=True)
class Way:
    """A channel to a sidecar, and what a call of the app carries."""

    name: str
    app: App
    sidecar: Daprd
    caller: Caller
    metadata: tuple[tuple[str, str], ...]

    def open(
        self, method: str | None, *, call_metadata: Iterable[tuple[str, str]] = (), **options: Any
    ) -> AbstractAsyncContextManager[StreamCall]:
        """Begin a call; see `open_call`."""
        return open_call(self.caller, method, call_metadata=(*self.metadata, *call_metadata), **options)

    @property
    def server_pid(self) -> int:
        """The process whose children are the workers."""
        return self.app.server.process.pid


@asynccontextmanager
async def open_way(app: App, name: str, *, is_stream: bool = True) -> AsyncIterator[Way]:
    """Open a channel; without `is_stream` its calls lack `dapr-stream`, which they should have."""
    sidecar = {"own": app.sidecar, "remote": app.caller}[name]
    metadata = {
        "dapr-app-id": APP_ID,
        "dapr-stream": "true" if is_stream else "",
        "dapr-api-token": sidecar.api_token,
    }
    given = tuple((key, value) for key, value in metadata.items() if value)
    options = (("grpc.use_local_subchannel_pool", 1),)
    async with grpc.aio.insecure_channel(sidecar.grpc_address, options=options) as channel:
        yield Way(name=name, app=app, sidecar=sidecar, caller=Caller(channel), metadata=given)


class Passed:
    """Bytes that went by."""

    def __init__(self) -> None:
        self.size = 0
        self.largest_chunk = 0
        self._sha256 = hashlib.sha256()

    @property
    def digest(self) -> tuple[int, str]:
        """How many they were, and what."""
        return self.size, self._sha256.hexdigest()

    def add(self, chunk: bytes) -> None:
        """Take the next."""
        self.size += len(chunk)
        self.largest_chunk = max(self.largest_chunk, len(chunk))
        self._sha256.update(chunk)


async def echo(call: StreamCall, chunks: Iterable[bytes]) -> tuple[Passed, Passed]:
    """Send and receive side by side, both to the end; return what was sent and what came back."""
    sent, came = Passed(), Passed()
    sending = asyncio.ensure_future(send_all(call, chunks, sent))
    try:
        await receive_all(call, came)
        await sending
    finally:
        sending.cancel()
    return sent, came


async def send_all(call: StreamCall, chunks: Iterable[bytes], sent: Passed) -> None:
    """Send chunks and the end, and note what has gone."""
    for chunk in chunks:
        await call.send(chunk)
        sent.add(chunk)
    await call.end()


async def receive_all(call: StreamCall, came: Passed) -> None:
    """Receive an answer to its end, and note what comes."""
    await call.header()
    while chunk := await call.chunk():
        came.add(chunk)


def random_chunks(total: int, size: int) -> Iterator[bytes]:
    """Return so many random bytes, in chunks that all differ."""
    block = random.randbytes(size)
    for start in range(0, total, size):
        yield start.to_bytes(8, "big") + block[8 : total - start]


async def at_rest(server_pid: int) -> None:
    """Wait until each worker of a server has waited for a while, for its guest's peer or for work."""
    quiet = 0
    last: list[str] = []

    def is_quiet() -> bool:
        nonlocal quiet, last
        now = [_activity(pid) for pid in worker_pids(server_pid)]
        quiet, last = (quiet + 1 if now == last and all(now) else 0), now
        return quiet >= _REST_LOOKS

    await until(is_quiet, "workers at rest", timeout_s=5)


def _activity(pid: int) -> str:
    """Return a number that grows whenever a process goes on; "" while it isn't waiting."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return ""
    fields = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    return fields["voluntary_ctxt_switches"] if fields["State"].startswith("S") else ""
