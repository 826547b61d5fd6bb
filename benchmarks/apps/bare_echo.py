"""App: `grpc.aio` answering each body with itself, the least that any server of ours has to do."""

from __future__ import annotations

import asyncio

from benchmarks.apps.callback import serve

__all__: list[str] = []


async def _echo(_method: str, body: bytes) -> bytes:
    return body


if __name__ == "__main__":
    asyncio.run(serve(_echo, content_type="application/octet-stream"))
