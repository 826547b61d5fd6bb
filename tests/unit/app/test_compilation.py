"""Modules compiled on the first engine that takes them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from wasm_grpc.app.compilation import ModuleCompiler
from wasm_grpc.artifacts.cache import ArtifactCache
from wasm_grpc.core.errors import (
    CompileLimitError,
    EngineUnavailableError,
    ModuleError,
    PicturesUnavailableError,
)
from wasm_grpc.core.model import EngineName, GuestKind, Limits, Runtime
from wasm_grpc.core.settings import make_settings
from wasm_grpc.core.wire import Compiled, EngineOpened
from wasm_grpc.pool.bases import Bases
from wasm_grpc.pool.runtimes import FoundRuntime

WASMER, WASMTIME = EngineName.WASMER, EngineName.WASMTIME


def runtimes() -> dict[EngineName, FoundRuntime]:
    """Return both engines, as if they were installed."""
    opened = EngineOpened(
        python="CPython 3", version="1", target="here", missing_walls=(), limits_instances=False
    )
    return {engine: FoundRuntime(Runtime(engine, "python"), opened) for engine in (WASMER, WASMTIME)}


def test_a_limit_on_the_preferred_engine_leads_to_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """For this run alone: the next run tries the preferred engine again."""
    too_slow = {WASMER}

    async def compile_module(_wasm: bytes, *, runtime: Runtime, **_: object) -> Compiled:
        if runtime.engine in too_slow:
            raise CompileLimitError("compiling it took longer than 1 s; expected less")
        return Compiled(code=runtime.engine.value.encode(), minimum_bytes=0, imports=())

    monkeypatch.setattr("wasm_grpc.app.compilation.compile_module", compile_module)
    settings = make_settings({})

    def engine_of_a_run() -> EngineName:
        with ArtifactCache(tmp_path / "cache") as cache:
            compiler = ModuleCompiler(settings, cache, Bases(), runtimes())
            compiling = compiler.compile_on_first(
                b"wasm", guest=GuestKind.WASI_COMMAND, limits=Limits(), engines=(WASMER, WASMTIME), name="f"
            )
            return asyncio.run(compiling)[0].runtime.engine

    first = engine_of_a_run()
    too_slow.clear()
    second = engine_of_a_run()

    assert (first, second) == (WASMTIME, WASMER)
    assert caplog.messages == [
        "f: wasmer: compiling it took longer than 1 s; expected less; uses wasmtime for this run"
    ]


def test_a_module_for_pictures_runs_where_they_can_be_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine whose interpreter has no decoder is passed over. Each is tried once, whether compiled or cached."""
    tried: list[EngineName] = []

    async def compile_module(_wasm: bytes, **_: object) -> Compiled:
        return Compiled(code=b"code", minimum_bytes=0, imports=("wasmedge_image",))

    async def find_decoder(runtime: Runtime, *_: object) -> str:
        tried.append(runtime.engine)
        if runtime.engine is WASMER:
            raise PicturesUnavailableError("pictures can't be decoded in CPython 3; expected Pillow there")
        return "Pillow 1"

    monkeypatch.setattr("wasm_grpc.app.compilation.compile_module", compile_module)
    monkeypatch.setattr("wasm_grpc.app.pictures.find_decoder", find_decoder)

    async def engines_of_two_modules(compiler: ModuleCompiler) -> list[EngineName]:
        found = [
            await compiler.compile_on_first(
                wasm, guest=GuestKind.WASI_COMMAND, limits=Limits(), engines=(WASMER, WASMTIME), name="f"
            )
            for wasm in (b"one", b"other", b"one")
        ]
        return [each.runtime.engine for each, _ in found]

    with ArtifactCache(tmp_path / "cache") as cache:
        compiler = ModuleCompiler(make_settings({}), cache, Bases(), runtimes())
        engines = asyncio.run(engines_of_two_modules(compiler))

        with pytest.raises(ModuleError) as caught:
            asyncio.run(
                compiler.compile_on_first(
                    b"one", guest=GuestKind.WASI_COMMAND, limits=Limits(), engines=(WASMER,), name="f"
                )
            )

    assert engines == [WASMTIME] * 3
    assert tried == [WASMER, WASMTIME]
    assert str(caught.value) == ("wasmer: pictures can't be decoded in CPython 3; expected Pillow there")


def test_engines_that_are_not_available(tmp_path: Path) -> None:
    """Without any engine that may run a module, the error names those that are available."""
    runtime = FoundRuntime(
        Runtime(WASMTIME, "python"),
        EngineOpened(python="CPython 3", version="1", target="here", missing_walls=(), limits_instances=True),
    )

    with ArtifactCache(tmp_path / "cache") as cache:
        compiler = ModuleCompiler(make_settings({}), cache, Bases(), {WASMTIME: runtime})
        compiling = compiler.compile_on_first(
            b"wasm", guest=GuestKind.WASI_COMMAND, limits=Limits(), engines=(WASMER,), name="f"
        )

        with pytest.raises(EngineUnavailableError) as caught:
            asyncio.run(compiling)

    assert str(caught.value) == "wasmer is not available on this machine; expected wasmtime"
