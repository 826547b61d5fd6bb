"""The other job of a compile process: try a model, which may crash what tries it."""

from __future__ import annotations

from wasm_grpc.core.errors import InferenceUnavailableError, WasmGrpcError
from wasm_grpc.core.wire import Frame, Kind, pack_json, unpack_json
from wasm_grpc.inference.models import open_mapped, warm
from wasm_grpc.inference.registry import open_backend
from wasm_grpc.worker.confinement import writable_bytes
from wasm_grpc.worker.decoding import read_model
from wasm_grpc.worker.frame_socket import FrameSocket

__all__ = ["inspect_one"]


def inspect_one(frames: FrameSocket, frame: Frame) -> None:
    """
    Answer an INSPECT frame with INSPECTED, or with REFUSED and the reason.
    """
    head = unpack_json(frame)["model"]
    try:
        backend = open_backend()
        before = writable_bytes()
        if head is not None:
            # Held until it is measured.
            session = open_mapped(backend, read_model(head))
            warm(session)
        taken = writable_bytes() - before
    except (WasmGrpcError, MemoryError) as exc:
        reason = str(exc) or "there is not enough memory for it"
        is_unavailable = isinstance(exc, InferenceUnavailableError)
        frames.send(pack_json(Kind.REFUSED, {"reason": reason, "unavailable": is_unavailable}))
        return
    frames.send(
        pack_json(Kind.INSPECTED, {"backend": f"{backend.name} {backend.version}", "memory_bytes": taken})
    )
