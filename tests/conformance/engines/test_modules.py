"""What the engines take and refuse, and artifacts between engine objects."""

from __future__ import annotations

import functools
import importlib.util
import subprocess
from pathlib import Path

import pytest

from conformance.engines.table import ENGINES, Seen, assemble, guest, host_call
from wasm_grpc.core.errors import ModuleError, UnsupportedModuleError
from wasm_grpc.core.model import MIB
from wasm_grpc.engines.protocol import Context, Engine, Value

SERVER_PYTHON = Path(__file__).resolve().parents[3] / ".venv" / "bin" / "python"
EMPTY = b"\0asm\x01\0\0\0"
BODY = EMPTY + bytes.fromhex("01040160000003020100")
"""A module with one function of type () -> (); its code section is still missing."""


@pytest.mark.parametrize(
    "wasm",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"(module)", id="text"),
        pytest.param(b"\x7fELF" + bytes(60), id="another-format"),
        pytest.param(b"\0asm\x0d\0\x01\0", id="component"),
        pytest.param(EMPTY + b"\x01\x7f\0", id="cut-off"),
        pytest.param(BODY, id="no-code"),
        pytest.param(BODY + bytes.fromhex("0a05010300 6a0b"), id="empty-stack"),
        pytest.param(BODY + bytes.fromhex("0a06010400 10090b"), id="unknown-function"),
        pytest.param(EMPTY + bytes.fromhex("080105"), id="unknown-start"),
        pytest.param(BODY + bytes.fromhex("070501016100 05"), id="unknown-export"),
    ],
)
def test_an_invalid_module_is_refused(engine: Engine, wasm: bytes) -> None:
    """What is no valid core module is refused as such: no other engine would take it."""
    with pytest.raises(ModuleError) as caught:
        engine.compile(wasm)

    assert type(caught.value) is ModuleError


NOT_ON_WASMER = {
    "atomics": "(module (memory 1) (func (result i32) (i32.atomic.rmw.add (i32.const 0) (i32.const 1))))",
    "tail-call": "(module (func $f) (func return_call $f))",
    "exceptions": "(module (tag $t) (func throw $t))",
    "extended-const": "(module (global i32 (i32.add (i32.const 1) (i32.const 2))))",
    "popcnt": "(module (func (param v128) (result v128) (i8x16.popcnt (local.get 0))))",
    "q15mulr": "(module (func (param v128) (result v128) (i16x8.q15mulr_sat_s (local.get 0) (local.get 0))))",
    "extmul": "(module (func (param v128) (result v128)"
    " (i16x8.extmul_low_i8x16_s (local.get 0) (local.get 0))))",
    "extadd": "(module (func (param v128) (result v128) (i16x8.extadd_pairwise_i8x16_s (local.get 0))))",
    "extend": "(module (func (param v128) (result v128) (i64x2.extend_low_i32x4_s (local.get 0))))",
    "conversion": "(module (func (param v128) (result v128) (f32x4.demote_f64x2_zero (local.get 0))))",
    "relaxed-simd": "(module (func (param v128) (result v128)"
    " (i8x16.relaxed_swizzle (local.get 0) (local.get 0))))",
}
NOWHERE = {
    "threads": "(module (memory 1 1 shared))",
    "threads of others": '(module (import "env" "memory" (memory 1 1 shared)))',
    "memory64": "(module (memory i64 1))",
    "multi-memory": "(module (memory 1) (memory 1))",
    "legacy-exceptions": "(module (tag $t) (func try nop catch $t end))",
    "gc-type": "(module (func (param (ref null any))))",
    "gc": "(module (type $s (struct (field i32))) (func (drop (struct.new $s (i32.const 1)))))",
    "page-size": "(module (memory 1 (pagesize 1)))",
}
EVERYWHERE = {
    "simd": "(module (func (param v128) (result v128) (i8x16.add (local.get 0) (local.get 0))))",
    "bulk-memory": "(module (memory 1) (func (memory.fill (i32.const 0) (i32.const 0) (i32.const 0))))",
    "multi-value": "(module (func (result i32 i32) (i32.const 0) (i32.const 0)))",
    "reference-types": '(module (func (export "f") (param externref)))',
    "saturating": "(module (func (param f32) (result i32) (i32.trunc_sat_f32_s (local.get 0))))",
}


@functools.cache
def _assemble(text: str) -> bytes:
    """Return the binary of a module, by the one assembler that knows all features: Wasmtime's, or the other venv's."""
    if importlib.util.find_spec("wasmtime"):
        return assemble(text)
    command = "import sys, wasmtime; sys.stdout.buffer.write(wasmtime.wat2wasm(sys.stdin.read()))"
    if not SERVER_PYTHON.exists():
        pytest.skip("only Wasmtime's assembler knows all features, and there is no .venv that may have it")
    run = subprocess.run(
        [SERVER_PYTHON, "-c", command], input=text.encode(), capture_output=True, check=True, timeout=10
    )
    return run.stdout


@pytest.mark.parametrize("feature", NOT_ON_WASMER)
def test_newer_features_are_wasmtimes(engine: Engine, feature: str) -> None:
    """Wasmtime takes these features; Wasmer says that it lacks them, not that the module is wrong."""
    wasm = _assemble(NOT_ON_WASMER[feature])
    if engine.name == "wasmtime":
        assert engine.compile(wasm)
        return

    with pytest.raises(UnsupportedModuleError, match=r"^module uses a feature that Wasmer does not have: "):
        engine.compile(wasm)


@pytest.mark.parametrize("feature", NOWHERE)
def test_some_features_are_offered_nowhere(engine: Engine, feature: str) -> None:
    """Features that our limits can't hold are refused as unsupported by every engine."""
    with pytest.raises(UnsupportedModuleError, match=r"; .*expected"):
        engine.compile(_assemble(NOWHERE[feature]))


@pytest.mark.parametrize("feature", EVERYWHERE)
def test_common_features_are_offered_everywhere(engine: Engine, feature: str) -> None:
    """What compilers emit by default is taken by every engine."""
    assert engine.compile(_assemble(EVERYWHERE[feature]))


def _keep(context: Seen, value: Value) -> None:
    context.calls.append(value)


def test_an_artifact_loads_in_another_engine_of_the_same_target(engine: Engine) -> None:
    """An artifact runs in every other engine object of the same name, version and target."""
    artifact = engine.compile(guest("hosts"))
    others = [open_it() for open_it in ENGINES.values()]
    same = [other for other in others if (other.name, other.target) == (engine.name, engine.target)]

    for other in same:
        context = Seen()
        other.load(artifact, host_call(_keep)).instantiate(context, memory_bytes=MIB).call("call", 8)

        assert context.calls == [8]


def test_garbage_is_not_an_artifact(engine: Engine) -> None:
    """Bytes that are not the engine's native code are refused, with the reason in one line."""
    with pytest.raises(ModuleError, match=r"^artifact: can't be loaded: .*; expected code for this \w+$"):
        engine.load(b"no artifact at all", {})


def test_the_target_tells_cpu_and_settings(engine: Engine) -> None:
    """The target has an instruction set, a digest of the CPU's features and the settings."""
    machine, features, settings = engine.target.split(" ")

    assert machine.count("-") == 1
    assert features.startswith("cpu:")
    assert "=" in settings


def test_a_module_without_exports_makes_instances(engine: Engine) -> None:
    """The smallest module there is compiles, loads and instantiates."""
    instance = engine.load(engine.compile(EMPTY), {}).instantiate(Context(), memory_bytes=MIB)

    assert instance.memory_bytes() == 0
