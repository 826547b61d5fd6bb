"""Which engine's workers can decode pictures, each tried once before anything is served."""

from __future__ import annotations

import asyncio

from wasm_grpc.core.errors import PicturesUnavailableError, UnsupportedModuleError
from wasm_grpc.core.model import EngineName
from wasm_grpc.core.settings import Settings
from wasm_grpc.pool.bases import Bases
from wasm_grpc.pool.inspector import find_decoder
from wasm_grpc.pool.runtimes import FoundRuntime

__all__ = ["DecoderChecks"]


class DecoderChecks:
    """
    Looks for picture decoders, and remembers what came of it.
    """

    def __init__(self) -> None:
        # Why there is none, or "" where there is one.
        self._lacks: dict[EngineName, str] = {}
        self._lock = asyncio.Lock()

    async def expect(self, found: FoundRuntime, bases: Bases, settings: Settings) -> None:
        """
        Check that an engine's workers can decode pictures.

        Raises:
            UnsupportedModuleError: They can't. Another engine's may.
        """
        engine = found.runtime.engine
        # One try at a time: all functions that decode pictures wait for the first one's.
        async with self._lock:
            if engine not in self._lacks:
                try:
                    await find_decoder(found.runtime, bases, settings)
                except PicturesUnavailableError as exc:
                    self._lacks[engine] = str(exc)
                else:
                    self._lacks[engine] = ""
        if self._lacks[engine]:
            raise UnsupportedModuleError(self._lacks[engine])
