"""Both clients behind one function: what holds for the one holds for the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from wasm_grpc.client import FunctionsClient, Header, aio
from wasm_grpc.client.source import Body

__all__ = ["CLIENTS", "Call", "Taken"]


@dataclass
class Taken:
    """What a caller got: the header, the chunks, and what was raised after them."""

    header: Header | None = None
    chunks: list[bytes] = field(default_factory=list)
    failure: BaseException | None = None

    @property
    def body(self) -> bytes:
        """The chunks together."""
        return b"".join(self.chunks)


class Call(Protocol):
    """Calls a method, and takes all that comes."""

    def __call__(
        self,
        address: str,
        method: str,
        body: Body = b"",
        *,
        client: dict[str, Any] | None = None,
        after_header: Callable[[], object] | None = None,
        after_chunk: Callable[[], object] | None = None,
        after_all: Callable[[], object] | None = None,
        **options: Any,
    ) -> Taken:
        """Return what came."""


def call_blocking(
    address: str,
    method: str,
    body: Body = b"",
    *,
    client: dict[str, Any] | None = None,
    after_header: Callable[[], object] | None = None,
    after_chunk: Callable[[], object] | None = None,
    after_all: Callable[[], object] | None = None,
    **options: Any,
) -> Taken:
    """Call with the blocking client."""
    taken = Taken()
    with FunctionsClient(**(client or {}), address=address) as functions:
        stream = functions.stream(method, body, **options)
        try:
            taken.header = stream.header
            if after_header:
                after_header()
            for chunk in stream:
                taken.chunks.append(chunk)
                if after_chunk:
                    after_chunk()
        except Exception as exc:  # noqa: BLE001 - it is compared
            taken.failure = exc
        if after_all:
            after_all()
    return taken


def call_on_asyncio(
    address: str,
    method: str,
    body: Body = b"",
    *,
    client: dict[str, Any] | None = None,
    after_header: Callable[[], object] | None = None,
    after_chunk: Callable[[], object] | None = None,
    after_all: Callable[[], object] | None = None,
    **options: Any,
) -> Taken:
    """Call with the client on asyncio, on a loop of its own."""
    taken = Taken()

    async def take() -> None:
        async with aio.FunctionsClient(**(client or {}), address=address) as functions:
            stream = functions.stream(method, body, **options)
            try:
                taken.header = await stream.header()
                if after_header:
                    await asyncio.to_thread(after_header)
                async for chunk in stream:
                    taken.chunks.append(chunk)
                    if after_chunk:
                        after_chunk()
            except Exception as exc:  # noqa: BLE001 - it is compared
                taken.failure = exc
            if after_all:
                await asyncio.to_thread(after_all)

    asyncio.run(take())
    return taken


CLIENTS: dict[str, Call] = {"blocking": call_blocking, "asyncio": call_on_asyncio}
