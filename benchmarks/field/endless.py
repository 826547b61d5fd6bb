"""
Callers of a function that never returns, a process of its own: ``ADDRESS PATH MESSAGE CALLERS``.

Each calls again once its call has failed. All hang up when the process is terminated.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import grpc

from benchmarks.load import OPTIONS

__all__: list[str] = []

_PAUSE_S = 0.05
"""After a failure: whoever refuses at once is not to be flooded."""


async def _caller(channel: grpc.aio.Channel, path: str, message: bytes) -> None:
    call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(path)
    while True:
        try:
            await call(message)
        except grpc.aio.AioRpcError:
            await asyncio.sleep(_PAUSE_S)


async def _main(address: str, path: str, message: str, callers: str) -> None:
    content = await asyncio.to_thread(Path(message).read_bytes)
    async with grpc.aio.insecure_channel(address, options=OPTIONS) as channel:
        await channel.channel_ready()
        calling = [asyncio.create_task(_caller(channel, path, content)) for _ in range(int(callers))]
        print("calling", flush=True)
        await asyncio.gather(*calling)


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
