"""The observers of a server: opened from its settings before anything else, closed after all else."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager

from wasm_grpc.core.observers import Observer, Observers
from wasm_grpc.core.settings import Settings
from wasm_grpc.invocation.log_observer import open_log_observer

__all__ = ["OBSERVERS", "OpenObserver", "open_observers"]

OpenObserver = Callable[[Settings], AbstractAsyncContextManager[Observer | None]]
"""Opens an observer, and closes it at the end; None if the settings want none."""

OBSERVERS: tuple[OpenObserver, ...] = (open_log_observer,)
"""Every observer that there is."""


@contextlib.asynccontextmanager
async def open_observers(
    settings: Settings, openers: Iterable[OpenObserver] = OBSERVERS
) -> AsyncIterator[Observers]:
    """
    Open the observers that the settings want, and close them at the end, the last one first.

    Args:
        settings: See `Settings`.
        openers: Each opens one observer.

    Raises:
        WasmGrpcError: An observer can't be opened; those before it are closed.
    """
    async with contextlib.AsyncExitStack() as stack:
        opened = [await stack.enter_async_context(open_observer(settings)) for open_observer in openers]
        yield Observers(observer for observer in opened if observer is not None)
