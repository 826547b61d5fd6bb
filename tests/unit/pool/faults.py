"""What the tests of the pool tell their fake workers."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence

from wasm_grpc.core.model import Runtime
from wasm_grpc.core.observers import Observers
from wasm_grpc.core.settings import Settings
from wasm_grpc.core.wire import Message, Pieces, encode
from wasm_grpc.pool import pool
from wasm_grpc.pool.bases import open_bases
from wasm_grpc.pool.functions import PoolFunction

__all__ = ["FakeWorker", "open_pool", "sent"]

FakeWorker = Callable[..., Runtime]
"""Makes a runtime whose workers get these arguments: see `fake_worker`."""


@contextlib.asynccontextmanager
async def open_pool(
    functions: Sequence[PoolFunction], settings: Settings, observers: Observers | None = None
) -> AsyncIterator[pool.Pool]:
    """Open a pool with bases of its own."""
    async with open_bases() as bases, pool.open_pool(functions, settings, bases, observers) as opened:
        yield opened


def sent(*frames: Message | Pieces | bytes) -> str:
    """Return the fault of a worker that sends these where something else is expected."""
    return f"send:{b''.join(map(_packed, frames)).hex()}"


def _packed(frame: Message | Pieces | bytes) -> bytes:
    if isinstance(frame, bytes):
        return frame
    return b"".join(frame if isinstance(frame, tuple) else encode(frame))
