"""
Many calls in parts, after each of which the server is looked at: ``make soak``.

``--hostile`` calls the guests of the table that end by themselves, in turn, in place of echo.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import grpc

from hostile.footprint import Footprint
from hostile.row import Ending
from hostile.table import ROWS, write_rows
from integration.client import Caller, connect
from integration.guests import write_function
from integration.processes import settled
from rig import Server, serve

__all__: list[str] = []

SLOTS = 2
CALLERS = 16
ENGINES = ("wasmtime", "wasmer")
GROWTH_BYTES = 8 << 20
"""What the server may grow by from the first half of the parts to the second."""
SLOW = ("TIMEOUT", "CPU_LIMIT")

Call = tuple[str, bytes]


def main() -> int:
    """Return 1 if a server held more and more."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--calls", type=int, default=100_000, help="calls of each engine (100,000)")
    parser.add_argument("--parts", type=int, default=5, help="how often the server is looked at (5)")
    parser.add_argument("--engine", choices=ENGINES, help="one engine (both)")
    parser.add_argument("--hostile", action="store_true", help="call hostile guests in place of echo")
    arguments = parser.parse_args()
    if not 2 <= arguments.parts <= arguments.calls:
        parser.error(f"--parts: got {arguments.parts}; expected 2 to the number of calls")
    engines = [arguments.engine] if arguments.engine else ENGINES
    is_flat = [asyncio.run(_soak(engine, arguments)) for engine in engines]
    return int(not all(is_flat))


async def _soak(engine: str, arguments: argparse.Namespace) -> bool:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "functions"
        write_function(folder, "echo")
        if arguments.hostile:
            write_rows(folder)
        env = {"WASM_GRPC_LOG": "error", "XDG_CACHE_HOME": name}
        async with (
            serve(folder, "--engine", engine, "--workers", str(SLOTS), env=env) as server,
            connect(server.address) as caller,
        ):
            calls = itertools.cycle(_hostile() if arguments.hostile else [("echo", bytes(64))])
            return await _parts(engine, arguments, server, caller, calls)


async def _parts(
    engine: str, arguments: argparse.Namespace, server: Server, caller: Caller, calls: Iterator[Call]
) -> bool:
    pid = server.process.pid
    found = []
    for part in range(arguments.parts):
        began_s = time.monotonic()
        share = itertools.islice(calls, arguments.calls // arguments.parts)
        await asyncio.gather(*(_call(caller, share) for _ in range(CALLERS)))
        rate = arguments.calls / arguments.parts / (time.monotonic() - began_s)
        await settled(pid, SLOTS + 1)
        found.append(Footprint.of(pid))
        print(f"{engine}: part {part + 1}: {found[-1]}; {rate:.0f} calls/s", flush=True)
    return _is_flat(found)


def _is_flat(found: Sequence[Footprint]) -> bool:
    """Whether the server was once as small in the second half of the parts as it was in the first."""
    first, second = found[: len(found) // 2], found[len(found) // 2 :]
    most = max(first, key=lambda footprint: footprint.resident_bytes)
    return any(footprint.is_within(most, growth_bytes=GROWTH_BYTES) for footprint in second)


async def _call(caller: Caller, calls: Iterator[Call]) -> None:
    for name, body in calls:
        try:
            await caller.invoke(name, body, timeout_s=60)
        except grpc.aio.AioRpcError:
            if name not in ROWS:
                raise


def _hostile() -> list[Call]:
    """Return the calls of the rows that end by themselves."""
    return [
        (name, body)
        for name, row in ROWS.items()
        if not any(isinstance(answer, tuple) or _is_slow(answer) for answer in row.answers)
        for body, _ in row.calls
    ]


def _is_slow(answer: bytes | Ending | tuple[Ending, ...]) -> bool:
    return isinstance(answer, Ending) and answer.reason in SLOW


if __name__ == "__main__":
    sys.exit(main())
