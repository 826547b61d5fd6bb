"""More functions in one process than an engine holds instances."""

from __future__ import annotations

from pathlib import Path

from wasm_grpc.core.artifact import ArtifactKind, pack_entry
from wasm_grpc.core.model import GuestKind, WorkerFunction
from wasm_grpc.core.wire import Load, Loaded
from wasm_grpc.engines.protocol import Engine
from wasm_grpc.guests.protocol import GuestCall
from wasm_grpc.hosts.wasi.streams import BytesStdin, CollectedStdout, Stderr
from wasm_grpc.worker.functions import LoadedFunction, LoadedFunctions

ECHO = Path(__file__).parents[3] / "functions" / "echo" / "echo.wasm"
FUNCTIONS = 600
"""Wasmtime's pool has 500 instances at the most."""


def test_each_function_runs(engine: Engine, tmp_path: Path) -> None:
    """Not all of them keep an instance ready, so that each can have one when it is called."""
    code = engine.compile(ECHO.read_bytes())
    header, digest = pack_entry(ArtifactKind.NATIVE_CODE, key=bytes(32), payload=code)
    artifact = tmp_path / "echo.artifact"
    artifact.write_bytes(header + code)
    artifact.chmod(0o600)
    function = WorkerFunction(
        name="f", guest=GuestKind.WASI_COMMAND, artifact=str(artifact), digest=digest, prepared=True
    )
    functions = LoadedFunctions(engine)
    for index in range(FUNCTIONS):
        assert functions.load(Load(index, function)) == Loaded(index)

    assert [_run(functions, index) for index in (0, FUNCTIONS - 1)] == [b"body", b"body"]


def _run(functions: LoadedFunctions, index: int) -> bytes:
    entry = functions.get(index)
    assert isinstance(entry, LoadedFunction)
    call = GuestCall(
        args=entry.args,
        env=entry.env,
        stdin=BytesStdin(b"body"),
        stdout=CollectedStdout(1024),
        stderr=Stderr(1024),
        limits=entry.function.limits,
        preopens=entry.files.preopens(),
        states=entry.states,
    )
    return entry.run(call).outcome.body
