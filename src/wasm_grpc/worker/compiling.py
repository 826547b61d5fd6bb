"""One job of a compile process: check a module, write its limits into it, compile it."""

from __future__ import annotations

from wasm_grpc.core.errors import ConfigError, UnsupportedModuleError
from wasm_grpc.core.memory_limits import check_minimum
from wasm_grpc.core.model import GuestKind
from wasm_grpc.core.wire import Frame, Kind, pack_json, unpack_json
from wasm_grpc.engines.binary import read_module
from wasm_grpc.engines.limits import minimum_bytes, write_limits
from wasm_grpc.engines.protocol import Engine
from wasm_grpc.guests.registry import guest_for
from wasm_grpc.worker.frame_socket import FrameSocket

__all__ = ["compile_one"]


def compile_one(frames: FrameSocket, engine: Engine, frame: Frame) -> None:
    """
    Answer a COMPILE frame with COMPILED, or with REFUSED and every problem found.

    Its head has the function's limit on memory, and that which the code is to have.
    """
    head = unpack_json(frame)
    try:
        module = read_module(frame.body)
        problems = guest_for(GuestKind(head["guest"])).check(module)
        if problems:
            frames.send(pack_json(Kind.REFUSED, {"problems": list(problems), "unsupported": False}))
            return
        check_minimum(minimum_bytes(module), head["memory_bytes"])
        artifact = engine.compile(write_limits(frame.body, memory_bytes=head["code_memory_bytes"]))
    except ConfigError as exc:
        is_unsupported = isinstance(exc, UnsupportedModuleError)
        frames.send(pack_json(Kind.REFUSED, {"problems": [str(exc)], "unsupported": is_unsupported}))
        return
    frames.send(pack_json(Kind.COMPILED, {"minimum_bytes": minimum_bytes(module)}, artifact))
