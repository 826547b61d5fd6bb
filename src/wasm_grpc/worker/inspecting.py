"""Try a model, or the picture decoder, in a compile process, because that may crash the process."""

from __future__ import annotations

from wasm_grpc.core.errors import InferenceUnavailableError, PicturesUnavailableError, WasmGrpcError
from wasm_grpc.core.wire import Inspect, Inspected, InspectRefused
from wasm_grpc.inference.models import open_mapped, warm
from wasm_grpc.inference.registry import open_backend
from wasm_grpc.pictures.registry import open_decoder
from wasm_grpc.worker.confinement import STATUS, writable_bytes
from wasm_grpc.worker.frame_socket import FrameSocket
from wasm_grpc.worker.walls import put_up_walls

__all__ = ["find_decoder", "inspect_one"]


def inspect_one(frames: FrameSocket, task: Inspect) -> None:
    """
    Answer INSPECT with INSPECTED, or with INSPECT_REFUSED and the reason.
    """
    try:
        backend = open_backend()
        files = (STATUS,) if task.model is None else (STATUS, task.model.host)
        # A model may run on several threads. Whatever the backend needs is imported by now.
        put_up_walls(files, infers=True, has_threads=True)
        before = writable_bytes()
        if task.model is not None:
            # The variable keeps the session open until its memory is measured.
            granted = open_mapped(backend, task.model)
            warm(granted.session)
        taken = writable_bytes() - before
    except (WasmGrpcError, MemoryError) as exc:
        reason = str(exc) or "there is not enough memory for it"
        is_unavailable = isinstance(exc, InferenceUnavailableError)
        frames.send(InspectRefused(reason, is_unavailable))
        return
    frames.send(Inspected(backend=f"{backend.name} {backend.version}", memory_bytes=taken))


def find_decoder(frames: FrameSocket) -> None:
    """
    Answer FIND_DECODER with INSPECTED, or with INSPECT_REFUSED and the reason.
    """
    try:
        decoder = open_decoder()
    except PicturesUnavailableError as exc:
        frames.send(InspectRefused(str(exc), is_unavailable=True))
        return
    frames.send(Inspected(backend=f"{decoder.name} {decoder.version}", memory_bytes=0))
