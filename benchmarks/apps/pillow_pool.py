"""App: grayscale with Pillow behind `grpc.aio`, in a pool of one process a core."""

from __future__ import annotations

import asyncio
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

from benchmarks.apps.callback import serve
from benchmarks.apps.grey import grey_png
from benchmarks.machine import cores

__all__: list[str] = []


async def _main() -> None:
    # Spawned: a fork would take gRPC's threads for its own.
    with ProcessPoolExecutor(cores(), mp_context=multiprocessing.get_context("spawn")) as pool:

        async def grey(_method: str, body: bytes) -> bytes:
            return await asyncio.get_running_loop().run_in_executor(pool, grey_png, body)

        await serve(grey, content_type="image/png")


if __name__ == "__main__":
    asyncio.run(_main())
