"""Which engine's workers can run which models, each tried before anything is served."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Mapping, Sequence

from wasm_grpc.core.errors import InferenceUnavailableError, ManifestError, ModelError, WasmGrpcError
from wasm_grpc.core.model import EngineName, Grants, Inference, Model
from wasm_grpc.core.settings import Settings
from wasm_grpc.pool.bases import Bases
from wasm_grpc.pool.inspector import find_backend, inspect_model
from wasm_grpc.pool.runtimes import FoundRuntime

__all__ = ["Inspector"]

_Key = tuple[EngineName, str, int]


class Inspector:
    """
    Tries inference backends and models, each once, and remembers what came of it.
    """

    def __init__(self, settings: Settings, bases: Bases, runtimes: Mapping[EngineName, FoundRuntime]) -> None:
        self._settings = settings
        self._bases = bases
        self._runtimes = runtimes
        # Why there is none, or None where there is one.
        self._backends: dict[EngineName, InferenceUnavailableError | None] = {}
        self._models: dict[_Key, Model | ModelError] = {}
        # One try at a time on each: ten functions that name one model wait for one try of it.
        self._locks = {engine: asyncio.Lock() for engine in runtimes}

    async def engines_for(self, grants: Grants, engines: Sequence[EngineName]) -> tuple[EngineName, ...]:
        """
        Return those of the engines whose workers can run what was granted; all, where nothing was.

        Raises:
            InferenceUnavailableError: None can.
        """
        inference = grants.inference
        if not inference.is_granted:
            return tuple(engines)
        had = [engine for engine in engines if engine in self._runtimes]
        lacks = await asyncio.gather(*(self._lack(inference, engine) for engine in had))
        able = [engine for engine, lack in zip(had, lacks, strict=True) if not lack]
        if had and not able:
            raise InferenceUnavailableError("; ".join(dict.fromkeys(lacks)))
        # If none of the engines is available, the caller reports that.
        return tuple(able) or tuple(engines)

    async def inspect(
        self, grants: Grants, engine: EngineName, format_problem: Callable[[str, ModelError], str]
    ) -> Grants:
        """
        Try every model on the backend of an engine's workers, and return the grants with each model's memory.

        Args:
            grants: What was granted.
            engine: Whose workers.
            format_problem: Returns the line for a model's name and what is wrong with it.

        Raises:
            ManifestError: Some can't be run.
        """
        models: list[Model] = []
        problems: list[str] = []
        for model in grants.inference.models:
            tried = await self._inspect(model, engine)
            if isinstance(tried, ModelError):
                problems.append(format_problem(model.name, tried))
            else:
                models.append(dataclasses.replace(model, memory_bytes=tried.memory_bytes))
        if problems:
            raise ManifestError(problems)
        inference = dataclasses.replace(grants.inference, models=tuple(models))
        return dataclasses.replace(grants, inference=inference)

    async def _lack(self, inference: Inference, engine: EngineName) -> str:
        """
        Say why an engine's workers can run no model; "" where they can.
        """
        try:
            if inference.models:
                # A process less: whatever is said of the model, the backend is there.
                await self._inspect(inference.models[0], engine)
            else:
                await self._find_backend(engine)
        except InferenceUnavailableError as exc:
            return str(exc)
        return ""

    async def _find_backend(self, engine: EngineName) -> None:
        async with self._locks[engine]:
            if engine not in self._backends:
                try:
                    await find_backend(self._runtimes[engine].runtime, self._bases, self._settings)
                except InferenceUnavailableError as exc:
                    self._backends[engine] = exc
                else:
                    self._backends[engine] = None
            self._expect_backend(engine)

    def _expect_backend(self, engine: EngineName) -> None:
        unavailable = self._backends.get(engine)
        if unavailable is not None:
            raise unavailable

    async def _inspect(self, model: Model, engine: EngineName) -> Model | ModelError:
        key = (engine, model.sha256, model.threads)
        async with self._locks[engine]:
            self._expect_backend(engine)
            if key not in self._models:
                try:
                    self._models[key] = await inspect_model(
                        model, self._runtimes[engine].runtime, self._bases, self._settings
                    )
                except ModelError as exc:
                    self._models[key] = exc
                except InferenceUnavailableError as exc:
                    self._backends[engine] = exc
                    raise
                except WasmGrpcError as exc:
                    self._models[key] = ModelError(f"can't be tried: {exc}")
        return self._models[key]
