"""App: native functions behind `grpc.aio`, all but echo in processes: ``MODEL LABELS PROCESSES``."""

from __future__ import annotations

import asyncio
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor

from benchmarks.apps.callback import serve
from benchmarks.apps.litert import open_model
from benchmarks.apps.native import METHODS

__all__: list[str] = []


async def _main(model: str, labels: str, processes: str) -> None:
    # Spawned: a fork would take gRPC's threads for its own.
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        int(processes), mp_context=spawned, initializer=open_model, initargs=(model, labels)
    ) as pool:

        async def answer(method: str, body: bytes) -> bytes:
            if method == "echo":
                return body
            return await asyncio.get_running_loop().run_in_executor(pool, METHODS[method], body)

        await serve(answer, content_type="application/octet-stream")


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
