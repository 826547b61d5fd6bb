"""The engines that this machine has, found as the server finds them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from wasm_grpc.core.errors import WasmGrpcError
from wasm_grpc.core.model import EngineName
from wasm_grpc.core.settings import make_settings
from wasm_grpc.pool.bases import open_bases
from wasm_grpc.pool.runtimes import find_runtime

__all__ = ["OurRuntime", "our_runtimes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OurRuntime:
    """
    An engine that can be measured.

    Attributes:
        engine: Its name.
        title: With its version and interpreter.
        python: The interpreter's path.
    """

    engine: str
    title: str
    python: str


def our_runtimes(tell: Callable[[str], None]) -> list[OurRuntime]:
    """
    Return the engines that are installed, and tell `tell` why each of the others is not.
    """
    return asyncio.run(_our_runtimes(tell))


async def _our_runtimes(tell: Callable[[str], None]) -> list[OurRuntime]:
    runtimes = []
    settings = make_settings({})
    async with open_bases() as bases:
        for engine in (EngineName.WASMTIME, EngineName.WASMER):
            try:
                found = await find_runtime(engine, bases, settings)
            except WasmGrpcError as exc:
                tell(f"{engine.value} is left out: {exc}")
            else:
                python = found.runtime.python
                runtimes.append(OurRuntime(engine=engine.value, title=str(found), python=python))
    return runtimes
