"""Modules whose start function lasts, fails or prints: it belongs to the invocation, and to nobody else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
import wasmtime

from integration.client import Caller, Failure, connect
from integration.commands import run_command
from integration.conftest import StartServer
from integration.guests import write_function

pytestmark = pytest.mark.asyncio

CODES = grpc.StatusCode

PRELUDE = """
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 64) "start, _start")
  (func $write (param $at i32) (param $size i32)
    (i32.store (i32.const 0) (local.get $at))
    (i32.store (i32.const 4) (local.get $size))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))
"""
WRITE = "(call $write (i32.const 71) (i32.const 6))"
STARTS = {
    "hang": "(loop (br 0))",
    # Sleeps for a century: an instance is not made ahead under any timer.
    "sleep": """
      (i32.store (i32.const 208) (i32.const 1))
      (i64.store (i32.const 216) (i64.const 4000000000000000000))
      (drop (call $poll (i32.const 192) (i32.const 256) (i32.const 1) (i32.const 8)))""",
    # Harmless before a time in nanoseconds since 1970, without end after it.
    "bomb": """
      (drop (call $clock (i32.const 0) (i64.const 0) (i32.const 16)))
      (if (i64.gt_u (i64.load (i32.const 16)) (i64.const {time_ns})) (then (loop (br 0))))""",
    "trap": "(unreachable)",
    "print": "(call $write (i32.const 64) (i32.const 7))",
}
LATE = '[limits]\ntimeout = "300ms"\n[pool]\nmin = {min}\n'


def _write(folder: Path, name: str, *, start: str = "", sections: str = "", time_ns: int = 0) -> None:
    place = write_function(folder, name, guest="echo", sections=sections)
    text = STARTS[start or name].format(time_ns=time_ns)
    module = f'(module {PRELUDE} (func $start {text}) (start $start) (func (export "_start") {WRITE}))'
    (place / f"{name}.wasm").write_bytes(bytes(wasmtime.wat2wasm(module)))


@asynccontextmanager
async def _serving(start_server: StartServer, functions: Path) -> AsyncIterator[Caller]:
    write_function(functions, "echo")
    async with (
        start_server(functions, "--workers", "2", "--max-workers", "4") as server,
        connect(server.address) as caller,
    ):
        yield caller


async def _echoes(caller: Caller, count: int) -> list[bytes]:
    replies = [await caller.invoke("echo", b"%d" % number) for number in range(count)]
    return [reply.body for reply in replies]


@pytest.mark.parametrize("minimum", [0, 1], ids=["loaded at the call", "loaded ahead"])
@pytest.mark.parametrize("start", ["hang", "sleep"])
async def test_a_start_function_without_end(
    start_server: StartServer, tmp_path: Path, start: str, minimum: int
) -> None:
    """It ends by its own function's time limit; calls of a neighbour are answered all the while."""
    _write(tmp_path, start, sections=LATE.format(min=minimum))

    async with _serving(start_server, tmp_path) as caller:
        failing = [asyncio.ensure_future(caller.fail(start)) for _ in range(4)]
        echoes = await _echoes(caller, 100)
        failures = await asyncio.gather(*failing)
        after = await _echoes(caller, 10)

    late = Failure(
        code=CODES.DEADLINE_EXCEEDED,
        message=f"function '{start}': ran longer than 0.3 s",
        reason="TIMEOUT",
        function=start,
        limit="limits.timeout",
    )
    assert failures == [late] * 4
    assert (echoes, after) == ([b"%d" % n for n in range(100)], [b"%d" % n for n in range(10)])


async def test_a_start_function_that_hangs_from_a_time_on(start_server: StartServer, tmp_path: Path) -> None:
    """No instance that was made ahead of its call holds up a neighbour once the time has come."""
    _write(tmp_path, "bomb", sections=LATE.format(min=1), time_ns=time.time_ns() + 4_000_000_000)
    codes: list[grpc.StatusCode] = []

    async with _serving(start_server, tmp_path) as caller:
        while CODES.DEADLINE_EXCEEDED not in codes:
            assert await _echoes(caller, 8) == [b"%d" % n for n in range(8)]
            try:
                assert (await caller.invoke("bomb")).body == b"_start"
            except grpc.aio.AioRpcError as error:
                codes.append(error.code())
        assert await _echoes(caller, 40) == [b"%d" % n for n in range(40)]

    assert codes == [CODES.DEADLINE_EXCEEDED]


async def test_a_start_function_that_traps(start_server: StartServer, tmp_path: Path) -> None:
    """Each call fails with the trap, and the function stays loaded."""
    _write(tmp_path, "trap")

    async with _serving(start_server, tmp_path) as caller:
        failures = [await caller.fail("trap") for _ in range(3)]

    assert {(each.code, each.reason) for each in failures} == {(CODES.INTERNAL, "TRAPPED")}


async def test_a_start_function_that_prints(start_server: StartServer, tmp_path: Path) -> None:
    """What it writes to standard output stands before what `_start` writes, in every call."""
    _write(tmp_path, "print")

    async with _serving(start_server, tmp_path) as caller:
        bodies = [(await caller.invoke("print")).body for _ in range(3)]

    assert bodies == [b"start, _start"] * 3


async def test_a_start_function_that_prints_under_run(
    engine: str, tmp_path: Path, cache_environment: dict[str, str]
) -> None:
    """`run` writes it too."""
    _write(tmp_path, "print")

    ended = await asyncio.to_thread(
        run_command, "run", "--engine", engine, tmp_path / "print" / "print.wasm", env=cache_environment
    )

    assert (ended.stdout, ended.code) == (b"start, _start", 0)
