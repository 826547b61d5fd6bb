"""App: classify with Pillow and ai-edge-litert behind `grpc.aio`, a process a core: MODEL LABELS."""

from __future__ import annotations

import asyncio
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor

from benchmarks.apps.callback import serve
from benchmarks.apps.litert import best_labels, open_model
from benchmarks.machine import cores

__all__: list[str] = []


async def _main(model: str, labels: str) -> None:
    # Spawned: a fork would take gRPC's threads for its own.
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        cores(), mp_context=spawned, initializer=open_model, initargs=(model, labels)
    ) as pool:

        async def classify(_method: str, body: bytes) -> bytes:
            return await asyncio.get_running_loop().run_in_executor(pool, best_labels, body)

        await serve(classify, content_type="application/json")


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
