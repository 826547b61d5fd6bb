"""App: `grpc.aio` that gets a value by Dapr's SDK, or answers late: ``SIDECAR STORE KEY``."""

from __future__ import annotations

import asyncio
import sys

from dapr.aio.clients import DaprClient

from benchmarks.apps.callback import serve

__all__: list[str] = []

_LATE_S = 0.1


async def _main(sidecar: str, store: str, key: str) -> None:
    async with DaprClient(sidecar) as client:

        async def answer(method: str, body: bytes) -> bytes:
            if method == "get":
                return (await client.get_state(store, key)).data
            if method == "late":
                await asyncio.sleep(_LATE_S)
            return body

        await serve(answer, content_type="application/octet-stream")


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
