"""Every limit of the manifest, and the worker's: its status, its reason, and a sentence with its value."""

from __future__ import annotations

import asyncio
import dataclasses
import resource
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
import wasmtime
from dapr.proto.common.v1 import common_pb2
from dapr.proto.runtime.v1 import invoke_pb2

from conformance.wasi.cases import FLOOD, GROW_AND_ABORT, Case, module_text
from integration.client import Caller, Failure, connect
from integration.conftest import StartServer
from integration.fake_sidecar import fake_sidecar
from integration.guests import write_function
from integration.processes import busy_worker, settled
from rig import Server
from wasm_grpc.core.model import MIB, Limits

CODES = grpc.StatusCode
SPIN = "(loop $ever (br $ever))"
OPEN = """
  (call $check (call $path_open (i32.const 3) (i32.const 1) (i32.const 1024) (i32.const 4) (i32.const 1)
    (i64.const 0x400040) (i64.const 0) (i32.const 0) (i32.const 64)) (i32.const 0))"""
RESIZE = "(call $fd_filestat_set_size (i32.load (i32.const 64)) (i64.const {size}))"
# Calls a method of an app three times, by a file below /dapr, which is the second directory.
CALL = """
  (local $n i32)
  (loop $more
    (call $check (call $path_open (i32.const 4) (i32.const 1) (i32.const 2048) (i32.const 15) (i32.const 0)
      (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 64)) (i32.const 0))
    (i32.store (i32.const 0) (i32.const 4096))
    (i32.store (i32.const 4) (i32.const 100))
    (call $check (call $fd_read (i32.load (i32.const 64)) (i32.const 0) (i32.const 1) (i32.const 32))
      (i32.const 0))
    (local.set $n (i32.add (local.get $n) (i32.const 1)))
    (br_if $more (i32.lt_u (local.get $n) (i32.const 3))))"""
GRANT = '[capabilities.dapr]\ninvoke = ["app/*"]\n'


@dataclass(frozen=True, kw_only=True)
class Limit:
    """A function that reaches a limit, and how its call fails."""

    start: str  # of its guest, see `conformance.wasi.cases`
    value: str  # in the manifest
    code: grpc.StatusCode
    reason: str
    said: str
    key: str = ""  # in the ErrorInfo; "" where the guest learns of the limit by an errno, and may go on
    also: str = ""
    more: str = ""
    body: bytes = b""

    def failure(self, name: str) -> Failure:
        """Return what the caller of the function gets."""
        return Failure(
            code=self.code,
            message=f"function '{name}': {self.said}",
            reason=self.reason,
            function=name,
            limit=self.key,
        )


EXHAUSTED, LATE, INTERNAL = CODES.RESOURCE_EXHAUSTED, CODES.DEADLINE_EXCEEDED, CODES.INTERNAL
LIMITS = {
    "timeout": Limit(
        start=SPIN,
        value='"300ms"',
        code=LATE,
        reason="TIMEOUT",
        said="ran longer than 0.3 s",
        key="limits.timeout",
    ),
    "cpu": Limit(
        start=SPIN,
        value='"200ms"',
        code=LATE,
        reason="CPU_LIMIT",
        said="used more than 0.2 s of CPU time",
        key="limits.cpu",
    ),
    "idle-timeout": Limit(
        start=SPIN,
        value='"300ms"',
        more='timeout = "unlimited"\n',
        code=LATE,
        reason="TIMEOUT",
        said="gave no result within 0.3 s",
        key="limits.idle_timeout",
    ),
    "memory": Limit(
        start=GROW_AND_ABORT,
        value='"8MiB"',
        code=INTERNAL,
        reason="OUT_OF_MEMORY",
        said="out of memory; 8 of 8 MiB in use",
        key="limits.memory",
    ),
    "output": Limit(
        start=FLOOD.format(fd=1, count=2),
        value='"64KiB"',
        code=EXHAUSTED,
        reason="OUTPUT_LIMIT",
        said="guest wrote over 64 KiB to standard output",
        key="limits.output",
    ),
    "body": Limit(
        start="",
        value="10",
        body=b"x" * 11,
        code=EXHAUSTED,
        reason="BODY_TOO_LARGE",
        said="body of 11 bytes; expected at most 10",
        key="limits.body",
    ),
    "stderr": Limit(
        start="(call $write (i32.const 2) (i32.const 1024) (i32.const 11)) (call $proc_exit (i32.const 3))",
        value="4",
        code=INTERNAL,
        reason="EXITED",
        said="exit code 3; it said: rror",
    ),
    "scratch": Limit(
        start=f"{OPEN} (call $proc_exit {RESIZE.format(size=1 << 20)})",
        value='"1MiB"',
        code=INTERNAL,
        reason="EXITED",
        said="exit code 51; it said: /tmp: no room for more; expected at most 1 MiB "
        "(limits.scratch; for `run`: --scratch-limit)",
    ),
    "host-calls": Limit(
        start=CALL,
        also='(data (i32.const 2048) "invoke/app/echo")',
        value="2",
        more=GRANT,
        code=EXHAUSTED,
        reason="HOST_CALL_LIMIT",
        said="guest made over 2 calls to Dapr",
        key="limits.host_calls",
    ),
    "dapr-timeout": Limit(
        start=CALL,
        also='(data (i32.const 2048) "invoke/app/hang")',
        value='"100ms"',
        more=GRANT,
        code=INTERNAL,
        reason="EXITED",
        said="exit code 129; it said: dapr: method 'app/hang' could not be invoked: "
        "DEADLINE_EXCEEDED: InvokeService: no answer within 0.1 s (limits.dapr_timeout)",
    ),
}

# Computes while the queue of its function fills.
QUEUED = {
    "queue": (
        "[pool]\nmax = 1\nqueue = 1\n",
        Limit(
            start=SPIN,
            value="1",
            code=EXHAUSTED,
            reason="QUEUE_FULL",
            said="too many invocations wait; expected at most 1",
            key="pool.queue",
        ),
    ),
    "queue-wait": (
        '[limits]\nqueue_wait = "200ms"\n[pool]\nmax = 1\n',
        Limit(
            start=SPIN,
            value='"200ms"',
            code=EXHAUSTED,
            reason="QUEUE_WAIT",
            said="waited longer than 0.2 s for a free worker",
            key="limits.queue_wait",
        ),
    ),
}
FILLS = f"{OPEN} (drop {RESIZE.format(size=64 << 20)})"


def _write(folder: Path, name: str, limit: Limit, sections: str) -> None:
    place = write_function(folder, name, guest="echo", sections=sections)
    text = module_text(Case(start=limit.start, also=limit.also))
    (place / f"{name}.wasm").write_bytes(bytes(wasmtime.wat2wasm(text)))


async def _answer(request: invoke_pb2.InvokeServiceRequest) -> common_pb2.InvokeResponse:
    if request.message.method == "hang":
        await asyncio.Event().wait()
    return common_pb2.InvokeResponse()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(
    start_server: StartServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Server]:
    """Serve a function for each limit."""
    folder = tmp_path_factory.mktemp("limits")
    for name, limit in LIMITS.items():
        _write(folder, name, limit, f"[limits]\n{name.replace('-', '_')} = {limit.value}\n{limit.more}")
    for name, (sections, limit) in QUEUED.items():
        _write(folder, name, limit, sections)
    fills = Limit(start=FILLS, value="", code=EXHAUSTED, reason="", said="")
    _write(folder, "fills", fills, '[limits]\nscratch = "128MiB"\n')
    async with (
        fake_sidecar(_answer) as sidecar,
        start_server(folder, "--workers", "1", env={"DAPR_GRPC_ENDPOINT": sidecar}) as running,
    ):
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def caller(server: Server) -> AsyncIterator[Caller]:
    """Open a channel to the server."""
    async with connect(server.address) as channel:
        yield channel


def test_no_limit_is_left_out() -> None:
    """The tables have every key of `[limits]`, and `pool.queue`."""
    names = {field.name for field in dataclasses.fields(Limits)}
    keys = {name.removesuffix("_s").removesuffix("_bytes") for name in names} | {"queue"}

    assert {name.replace("-", "_") for name in (*LIMITS, *QUEUED)} == keys


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", LIMITS)
async def test_a_limit_is_named(caller: Caller, name: str) -> None:
    """A guest that reaches it fails with its reason, its key, and its value in a sentence."""
    limit = LIMITS[name]

    assert await caller.fail(name, limit.body) == limit.failure(name)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", QUEUED)
async def test_a_limit_of_the_queue_is_named(server: Server, caller: Caller, name: str) -> None:
    """A call that finds no place, or waits too long for one, is refused in the same way."""
    _, limit = QUEUED[name]
    await settled(server.process.pid, 2)
    running = [caller.start(name)]
    await busy_worker(server.process.pid)
    if name == "queue":
        running.append(caller.start(name))
        await caller.check_health()

    failure = await caller.fail(name)
    for call in running:
        call.cancel()

    assert failure == limit.failure(name)


@pytest.mark.asyncio(loop_scope="module")
async def test_the_limit_of_a_worker_is_named(server: Server, caller: Caller) -> None:
    """A worker that gets no more memory ends, and its caller learns the limit and what raises it."""
    workers = await settled(server.process.pid, 2)
    limits = {resource.prlimit(pid, resource.RLIMIT_DATA)[0] for pid in workers}
    # A guest can't reach the real one, which has room for all that it may take.
    limit_bytes = max(map(_writable_bytes, workers)) + 8 * MIB
    for pid in workers:
        resource.prlimit(pid, resource.RLIMIT_DATA, (limit_bytes, limit_bytes))

    failure = await caller.fail("fills")

    assert failure == Failure(
        code=EXHAUSTED,
        message="function 'fills': its worker ran out of memory; "
        f"expected at most {limit_bytes // MIB} MiB, which WASM_GRPC_WORKER_BYTES raises",
        reason="WORKER_MEMORY",
        function="fills",
    )
    assert min(limits) > 512 * MIB


def _writable_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmData:"))
