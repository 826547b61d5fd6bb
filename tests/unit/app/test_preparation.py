"""Which engines a function may run on."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from wasm_grpc.app.inference import Inspector
from wasm_grpc.app.preparation import Preparer, engines_of
from wasm_grpc.core.errors import CompileLimitError
from wasm_grpc.core.model import EngineName, GuestKind, Limits, Runtime
from wasm_grpc.core.settings import make_settings
from wasm_grpc.functions.artifacts import ArtifactCache
from wasm_grpc.functions.manifest import FunctionManifest
from wasm_grpc.pool.compiler import Compiled
from wasm_grpc.pool.process import Greeting
from wasm_grpc.pool.runtimes import FoundRuntime

WASMER, WASMTIME = EngineName.WASMER, EngineName.WASMTIME


@pytest.mark.parametrize(
    ("flag", "manifest", "engines"),
    [
        ("auto", None, (WASMER, WASMTIME)),
        ("auto", "wasmtime", (WASMTIME,)),
        ("auto", "wasmer", (WASMER,)),
        ("wasmer", None, (WASMER,)),
        ("wasmer", "wasmtime", (WASMER,)),
    ],
    ids=["neither", "manifest", "manifest's Wasmer", "flag", "flag above manifest"],
)
def test_the_engines_of_a_function(flag: str, manifest: str | None, engines: tuple[EngineName, ...]) -> None:
    """A flag wins over the manifest; without either Wasmer is preferred, and Wasmtime takes what it refuses."""
    document = {"name": "f", "module": "f.wasm", "trigger": {"invoke": [{"method": "f"}]}}
    if manifest is not None:
        document["engine"] = manifest

    found = engines_of(
        TypeAdapter(FunctionManifest).validate_python(document), make_settings({"engine": flag})
    )

    assert found == engines


def test_a_limit_on_the_preferred_engine_leads_to_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """For this run alone: the next run tries the preferred engine again."""
    runtimes = {
        engine: FoundRuntime(
            Runtime(engine, "python"),
            Greeting(python="CPython 3", version="1", target="here", is_sealed=True),
        )
        for engine in (WASMER, WASMTIME)
    }
    too_slow = {WASMER}

    async def compile_module(_wasm: bytes, *, runtime: Runtime, **_: object) -> Compiled:
        if runtime.engine in too_slow:
            raise CompileLimitError("compiling it took longer than 1 s; expected less")
        return Compiled(runtime.engine.value.encode(), minimum_bytes=0)

    monkeypatch.setattr("wasm_grpc.app.preparation.compile_module", compile_module)
    settings = make_settings({})

    def engine_of_a_run() -> EngineName:
        with ArtifactCache(tmp_path / "cache") as cache:
            preparer = Preparer(settings, cache, runtimes, lambda _: None, Inspector(settings, runtimes))
            compiling = preparer.compile_on_first(
                b"wasm", guest=GuestKind.WASI_COMMAND, limits=Limits(), engines=(WASMER, WASMTIME), name="f"
            )
            return asyncio.run(compiling)[0].runtime.engine

    first = engine_of_a_run()
    too_slow.clear()
    second = engine_of_a_run()

    assert (first, second) == (WASMTIME, WASMER)
    assert caplog.messages == [
        "f: wasmer: compiling it took longer than 1 s; expected less; another engine is tried for this run"
    ]
