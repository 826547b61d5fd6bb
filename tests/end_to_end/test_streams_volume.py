"""Streams through sidecars in quantity: long ones, slow ones and many of them."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

import grpc
import pytest

from end_to_end.app import App, run_app
from end_to_end.streams import (
    Passed,
    Way,
    at_rest,
    echo,
    open_way,
    random_chunks,
    send_all,
)
from integration.client import failure_in
from integration.processes import until, worker_pids
from integration.stream_calls import StreamCall

__all__ = []

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(60)]

MIB = 1 << 20
LONG_BYTES = 256 * MIB
GROWTH_BYTES = 128 * MIB
"""Of a process while a stream passes. Each holds some MiB of it; allocators and Go's collector lag behind."""
HELD_BYTES = 40 * MIB
"""More than all between a caller and a guest hold: sockets, flow-control windows of three connections, our own MiB."""


def memory(pid: int, field: str) -> int:
    """Return a figure of a process's memory: `VmRSS`, or `VmHWM`, the most that it was."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (value,) = [line.split()[1] for line in lines if line.startswith(f"{field}:")]
    return int(value) << 10


def processes(app: App) -> dict[str, int]:
    """Return the processes of an app, its workers too."""
    server = app.server.process.pid
    workers = {f"worker {pid}": pid for pid in worker_pids(server)}
    return {"server": server, "sidecar": app.sidecar.process.pid, "caller": app.caller.process.pid, **workers}


async def test_a_long_stream_passes_whole_and_leaves_nothing_behind(way: Way) -> None:
    """256 random MiB come back as they were, in chunks of at most 1 MiB, and no process grows by half of them."""
    await at_rest(way.server_pid)
    before = {name: memory(pid, "VmRSS") for name, pid in processes(way.app).items()}

    async with way.open("echo", timeout_s=None) as call:
        sent, came = await echo(call, random_chunks(LONG_BYTES, MIB))
        peaks = {name: memory(pid, "VmHWM") for name, pid in processes(way.app).items()}

    assert came.digest == sent.digest
    assert came.size == LONG_BYTES
    assert came.largest_chunk <= MIB
    grown = {name: peak - before.get(name, 0) for name, peak in peaks.items()}
    assert {name: size for name, size in grown.items() if size > GROWTH_BYTES} == {}


async def test_a_guest_waits_for_a_slow_reader(way: Way) -> None:
    """While nobody reads a flood, its guest stands still and its slot is free; as it is read, it goes on."""
    async with way.open("flood-stdout", timeout_s=None) as call:
        await call.header()
        await at_rest(way.server_pid)
        meanwhile = await way.app.invoke("echo", b"meanwhile")
        read = 0
        while read < 2 * HELD_BYTES:
            read += len(await call.chunk())

    assert (meanwhile.status, meanwhile.body) == (200, b"meanwhile")


async def test_a_sender_waits_for_a_guest(way: Way) -> None:
    """While nobody reads an echo, its sender gets no further either; then all arrives as it was."""
    sent, came = Passed(), Passed()

    async with way.open("echo", timeout_s=None) as call:
        sending = asyncio.ensure_future(send_all(call, random_chunks(2 * HELD_BYTES, MIB // 4), sent))
        await call.header()
        await at_rest(way.server_pid)
        held = sent.size
        while chunk := await call.chunk():
            came.add(chunk)
        await sending

    assert held < HELD_BYTES
    assert came.digest == sent.digest
    assert came.size == 2 * HELD_BYTES


async def test_a_guest_waits_for_a_slow_writer(way: Way) -> None:
    """Between two chunks its slot is free, for unary calls and for other streams."""
    answers = []

    async with way.open("echo") as slow:
        await slow.header()
        for number in range(3):
            await slow.send(b"%d" % number)
            answers.append(await slow.exactly(1))
            reply = await way.app.invoke("echo", b"unary")
            answers.append(reply.body)
            async with way.open("echo") as other:
                await other.header()
                await other.send_all(b"stream")
                answers.append(await other.rest())
        await slow.end()
        rest = await slow.rest()

    assert answers == [each for number in range(3) for each in (b"%d" % number, b"unary", b"stream")]
    assert rest == b""


OFFERED = 200
PROBE_INTERVAL_S = 1.0
"""Of the sidecar's probes, the first of which that fails makes the app unhealthy here."""
PLACES = 26
"""Streams of which each has a process, six of eight, the others being kept for what is no stream; and a queue of 20."""


async def crowd(way: Way, stack: AsyncExitStack, count: int) -> list[StreamCall]:
    """Offer streams at once, of which none sends anything yet."""
    return [await stack.enter_async_context(way.open("crowd", timeout_s=None)) for _ in range(count)]


async def first(call: StreamCall) -> str:
    """Wait for what becomes of a stream: it runs, or is refused."""
    try:
        await call.header()
    except grpc.aio.AioRpcError as exc:
        return failure_in(exc).message
    return "runs"


async def finished(call: StreamCall, becoming: asyncio.Future[str]) -> bytes:
    """Return a stream that runs now, or will, its input."""
    assert await becoming == "runs"
    await call.send_all(b"mine")
    return await call.rest()


async def test_many_slow_streams_leave_room_for_calls(
    engine: str, stream_functions: Path, cache_environment: dict[str, str], tmp_path: Path
) -> None:
    """Of 200 streams that stand still on two slots, those beyond the queue are refused; unary calls and health go on."""
    health = ["--enable-app-health-check=true", "--app-health-probe-interval=1", "--app-health-threshold=1"]
    flags = ["--engine", engine, "--workers", "2", "--max-workers", "8", "--only", "crowd", "echo"]

    async with (
        run_app(stream_functions, tmp_path, *flags, env=cache_environment, sidecar_flags=health) as app,
        open_way(app, "remote") as way,
        AsyncExitStack() as stack,
    ):
        await until(lambda: "App entered healthy status" in app.sidecar.log_file.read_text(), "a healthy app")
        # Those with a process first: while theirs start, the others would find no more than the queue.
        calls = await crowd(way, stack, PLACES - 20)
        becoming = [asyncio.ensure_future(first(call)) for call in calls]
        await asyncio.wait(becoming)
        calls += await crowd(way, stack, OFFERED - len(calls))
        becoming += [asyncio.ensure_future(first(call)) for call in calls[len(becoming) :]]
        # Those that run, and all that are refused; the others wait for a process.
        await until(lambda: sum(map(asyncio.Future.done, becoming)) == OFFERED - 20, "an answer to most")
        early = Counter(future.result() for future in becoming if future.done())
        replies: Counter[tuple[int, bytes]] = Counter()
        end_s = asyncio.get_running_loop().time() + 3 * PROBE_INTERVAL_S
        while asyncio.get_running_loop().time() < end_s:
            reply = await app.invoke("echo", b"unary")
            replies[reply.status, reply.body] += 1
        stood = sum(map(asyncio.Future.done, becoming))
        taken = [
            finished(call, future)
            for call, future in zip(calls, becoming, strict=True)
            if not (future.done() and future.result() != "runs")
        ]
        results = Counter(await asyncio.gather(*taken))

    refusal = "function 'crowd': too many streams wait; expected at most 20"
    assert early == {"runs": PLACES - 20, refusal: OFFERED - PLACES}
    assert (stood, results) == (OFFERED - 20, {b"mine": PLACES})
    assert list(replies) == [(200, b"unary")]
    assert "App entered un-healthy status" not in app.sidecar.log_file.read_text()
