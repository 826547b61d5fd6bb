"""What the tests of the pool tell their fake workers."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence

from wasm_grpc.core.model import (
    Grants,
    GuestKind,
    Inference,
    Limits,
    Model,
    PoolPolicy,
    Runtime,
    WorkerFunction,
)
from wasm_grpc.core.observers import Observers
from wasm_grpc.core.settings import Settings
from wasm_grpc.core.wire import Message, Pieces, encode
from wasm_grpc.pool import pool
from wasm_grpc.pool.bases import open_bases
from wasm_grpc.pool.functions import PoolFunction

__all__ = ["FakeWorker", "function", "open_pool", "sent"]

FakeWorker = Callable[..., Runtime]
"""Makes a runtime whose workers get these arguments: see `fake_worker`."""


def function(
    runtime: Runtime,
    name: str = "f",
    *,
    limits: Limits | None = None,
    in_advance: int = 0,
    queue: int = PoolPolicy().queue,
    may_load: bool = False,
    threads: int = 0,
) -> PoolFunction:
    """Return a function as the pool takes it, with a model if it has threads."""
    models = (
        (Model(name="m", host="m", sha256="", size=1, memory_bytes=1, threads=threads),) if threads else ()
    )
    worker_function = WorkerFunction(
        name=name,
        guest=GuestKind.WASI_COMMAND,
        artifact="artifact",
        digest="",
        limits=limits or Limits(timeout_s=5),
        grants=Grants(inference=Inference(models=models, may_load=may_load)),
    )
    policy = PoolPolicy(min=in_advance, queue=queue)
    return PoolFunction(function=worker_function, runtime=runtime, policy=policy)


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
