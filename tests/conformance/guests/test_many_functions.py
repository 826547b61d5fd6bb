"""More functions in one process than an engine holds instances."""

from __future__ import annotations

from pathlib import Path

from wasm_grpc.core.artifact import ArtifactKind, pack_entry
from wasm_grpc.core.model import GuestKind, WorkerFunction
from wasm_grpc.core.wire import Load, Loaded
from wasm_grpc.engines.protocol import Engine
from wasm_grpc.worker.functions import LoadedFunctions

ECHO = Path(__file__).parents[3] / "functions" / "echo" / "echo.wasm"
FUNCTIONS = 600
"""Wasmtime's pool has 500 instances at the most."""


def test_each_function_can_be_loaded(engine: Engine, tmp_path: Path) -> None:
    """Not all of them keep an instance ready, so that each can have one when it is called."""
    header, digest = pack_entry(
        ArtifactKind.NATIVE_CODE, key=bytes(32), payload=(code := engine.compile(ECHO.read_bytes()))
    )
    artifact = tmp_path / "echo.artifact"
    artifact.write_bytes(header + code)
    artifact.chmod(0o600)
    functions = LoadedFunctions(engine)

    answers = [
        functions.load(
            Load(
                index,
                WorkerFunction(
                    name=f"f{index}",
                    guest=GuestKind.WASI_COMMAND,
                    artifact=str(artifact),
                    digest=digest,
                    prepared=True,
                ),
            )
        )
        for index in range(FUNCTIONS)
    ]

    assert answers == [Loaded(index) for index in range(FUNCTIONS)]
