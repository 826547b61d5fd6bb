"""
App: functions as the first demo ran them, everything anew for each request: ``FUNCTIONS PROCESSES``.

Engine, compiled module, instance and model are made for one call and thrown away, behind `grpc.aio`,
in a pool of processes. A method is the name of a folder below ``FUNCTIONS``.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path

from benchmarks.apps.callback import serve
from wasm_grpc.catalogue.folder import read_functions
from wasm_grpc.catalogue.function import read_module
from wasm_grpc.core.model import EngineName, GuestKind, Limits
from wasm_grpc.core.wire import encode_env
from wasm_grpc.engines.limits import write_limits
from wasm_grpc.engines.registry import open_engine
from wasm_grpc.grants.function import read_grants
from wasm_grpc.guests.protocol import GuestCall
from wasm_grpc.guests.registry import guest_for
from wasm_grpc.hosts.nn.state import InferenceGrants, InferenceState
from wasm_grpc.hosts.tensorflowlite.state import TensorflowLiteState
from wasm_grpc.hosts.wasi.context import encode_strings
from wasm_grpc.hosts.wasi.mounts import FileSystem
from wasm_grpc.hosts.wasi.streams import BytesStdin, CollectedStdout, Stderr
from wasm_grpc.inference.grants import ModelGrants
from wasm_grpc.inference.registry import open_backend

__all__: list[str] = []


def _run(folder: str, body: bytes) -> bytes:
    (function,) = read_functions(Path(folder))
    manifest = function.manifest
    limits = Limits(**asdict(manifest.limits))
    engine = open_engine(EngineName.WASMTIME)
    guest = guest_for(GuestKind.WASI_COMMAND)
    native = engine.compile(write_limits(read_module(function), memory_bytes=limits.memory_bytes))
    backend = open_backend()
    grants = read_grants(function)
    models = ModelGrants(
        named={
            model.name: backend.open(Path(model.host).read_bytes(), threads=1)
            for model in grants.inference.models
        },
        load=lambda content: backend.open(content, threads=1),
    )
    call = GuestCall(
        args=encode_strings((function.name,)),
        env=encode_env(tuple((name, str(value)) for name, value in manifest.env.items())),
        stdin=BytesStdin(body),
        stdout=CollectedStdout(limits.output_bytes),
        stderr=Stderr(limits.stderr_bytes),
        limits=limits,
        preopens=FileSystem(grants.mounts, scratch_bytes=0).preopens(),
        states={
            InferenceState: InferenceGrants(models=models).begin,
            TensorflowLiteState: lambda call: TensorflowLiteState(models, call.log),
        },
    )
    return guest.ready(engine.load(native, guest.hosts), limits).run(call).outcome.body


async def _main(functions: str, processes: str) -> None:
    # Spawned: a fork would take gRPC's threads for its own.
    with ProcessPoolExecutor(int(processes), mp_context=multiprocessing.get_context("spawn")) as pool:

        async def answer(method: str, body: bytes) -> bytes:
            folder = str(Path(functions, method))
            return await asyncio.get_running_loop().run_in_executor(pool, _run, folder, body)

        await serve(answer, content_type="application/octet-stream")


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
