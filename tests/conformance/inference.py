"""Run programs that use models by any interface for inference, as a worker does."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from wasm_grpc.core.model import Grants, GuestKind, Inference, Limits, Model, Outcome, TensorTypes
from wasm_grpc.engines.binary import read_module
from wasm_grpc.engines.protocol import Engine
from wasm_grpc.guests.protocol import GuestCall
from wasm_grpc.guests.registry import guest_for
from wasm_grpc.hosts.nn.module import WasiNn
from wasm_grpc.hosts.tensorflowlite.module import TensorflowLite
from wasm_grpc.hosts.wasi.context import encode_strings
from wasm_grpc.hosts.wasi.streams import BytesStdin, CollectedStdout, Stderr
from wasm_grpc.inference.models import Models
from wasm_grpc.inference.protocol import Backend

__all__ = ["run"]

GUEST = guest_for(GuestKind.WASI_COMMAND)


def run(
    engine: Engine,
    backend: Backend,
    wasm: bytes,
    models: Mapping[str, Path] | None = None,
    *,
    args: tuple[str, ...] = (),
    body: bytes = b"",
    may_load: bool = False,
    tensor_types: TensorTypes = TensorTypes.AUTO,
) -> Outcome:
    """Run a program once, which is granted these models by their names."""
    assert GUEST.check(read_module(wasm)) == []
    opened = Models(lambda: backend)
    granted = tuple(_model(name, path) for name, path in (models or {}).items())
    grants = Grants(inference=Inference(models=granted, may_load=may_load, tensor_types=tensor_types))
    ready = GUEST.ready(engine.load(engine.compile(wasm), GUEST.hosts), Limits())
    call = GuestCall(
        args=encode_strings(("guest", *args)),
        env=b"",
        stdin=BytesStdin(body),
        stdout=CollectedStdout(None),
        stderr=Stderr(64 * 1024),
        limits=Limits(),
        states={host.state: host(opened).open(grants) for host in (WasiNn, TensorflowLite)},
    )
    return ready.run(call).outcome


def _model(name: str, path: Path) -> Model:
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    return Model(name=name, host=str(path), size=len(content), sha256=digest)
