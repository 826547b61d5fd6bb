"""What the tests of the pool tell their fake workers."""

from __future__ import annotations

from collections.abc import Callable

from wasm_grpc.core.model import Runtime
from wasm_grpc.core.wire import Message, Pieces, encode

__all__ = ["FakeWorker", "sent"]

FakeWorker = Callable[..., Runtime]
"""Makes a runtime whose workers get these arguments: see `fake_worker`."""


def sent(*frames: Message | Pieces | bytes) -> str:
    """Return the fault of a worker that sends these where something else is expected."""
    return f"send:{b''.join(map(_packed, frames)).hex()}"


def _packed(frame: Message | Pieces | bytes) -> bytes:
    if isinstance(frame, bytes):
        return frame
    return b"".join(frame if isinstance(frame, tuple) else encode(frame))
