"""Models, and decoders, seen from the server: each is tried in a process of its own first."""

from __future__ import annotations

import asyncio
import dataclasses

from wasm_grpc.core.errors import (
    InferenceUnavailableError,
    ModelError,
    PicturesUnavailableError,
    ProtocolError,
)
from wasm_grpc.core.model import Model, Runtime
from wasm_grpc.core.settings import Settings
from wasm_grpc.core.wire import FindDecoder, Inspect, Inspected, InspectRefused
from wasm_grpc.pool.bases import Bases
from wasm_grpc.pool.compiler import ask_watched, fork_compiler
from wasm_grpc.pool.process import exit_text
from wasm_grpc.pool.session import ProcessEnded

__all__ = ["find_backend", "find_decoder", "inspect_model"]

_ANSWERS = (Inspected, InspectRefused)


async def find_backend(runtime: Runtime, bases: Bases, settings: Settings) -> str:
    """
    Return name and version of a runtime's inference backend, which is loaded to see that it works.

    Raises:
        InferenceUnavailableError: Its interpreter has none, or it does not load.
        WorkerStartError: The interpreter can't be started.
    """
    try:
        return (await _inspect(None, runtime, bases, settings)).backend
    except ModelError as exc:
        raise InferenceUnavailableError(f"the inference backend {exc}") from exc


async def find_decoder(runtime: Runtime, bases: Bases, settings: Settings) -> str:
    """
    Return name and version of a runtime's picture decoder, which is loaded to see that it works.

    Raises:
        PicturesUnavailableError: Its interpreter has none, or it does not load.
        WorkerStartError: The interpreter can't be started.
    """
    try:
        answer = await _try(FindDecoder(), runtime, bases, settings, to="load")
    except _TrialError as exc:
        raise PicturesUnavailableError(f"the picture decoder {exc}") from exc
    if isinstance(answer, Inspected):
        return answer.backend
    raise PicturesUnavailableError(answer.reason)


async def inspect_model(model: Model, runtime: Runtime, bases: Bases, settings: Settings) -> Model:
    """
    Open a model, run it once, and return it with the memory that it takes.

    Raises:
        ModelError: It can't be run; the text follows on the file's name.
        InferenceUnavailableError: The runtime's interpreter has no backend.
        WorkerStartError: The interpreter can't be started.
    """
    answer = await _inspect(model, runtime, bases, settings)
    if answer.memory_bytes > settings.compile_bytes:
        raise ModelError(f"takes {answer.memory_bytes} bytes, beyond the limit of the process that tried it")
    # Twice what was taken in the end: more may be in use while it is made ready.
    memory_bytes = model.size + 2 * max(0, answer.memory_bytes)
    return dataclasses.replace(model, memory_bytes=memory_bytes)


async def _inspect(model: Model | None, runtime: Runtime, bases: Bases, settings: Settings) -> Inspected:
    size = model.size if model else 0
    try:
        answer = await _try(Inspect(model), runtime, bases, settings, to="run once", mapped_bytes=size)
    except _TrialError as exc:
        raise ModelError(str(exc)) from exc
    if isinstance(answer, Inspected):
        return answer
    kind = InferenceUnavailableError if answer.is_unavailable else ModelError
    raise kind(answer.reason)


class _TrialError(Exception):
    """
    The process that tried something has not answered. The text follows on what it tried.
    """


async def _try(
    task: Inspect | FindDecoder,
    runtime: Runtime,
    bases: Bases,
    settings: Settings,
    *,
    to: str,
    mapped_bytes: int = 0,
) -> Inspected | InspectRefused:
    try:
        async with await fork_compiler(runtime, bases, settings) as session:
            return await ask_watched(session, task, _ANSWERS, settings, mapped_bytes=mapped_bytes)
    except ProcessEnded as exc:
        raise _TrialError(f"crashed the process that tried it ({exit_text(exc.code)})") from exc
    except ProtocolError as exc:
        raise _TrialError(f"had the process that tried it break the protocol ({exc})") from exc
    except asyncio.TimeoutError as exc:
        raise _TrialError(f"took longer than {settings.compile_s:g} s to {to}") from exc
