"""Functions that use WasmEdge's interface for inference: whose model they run, in which worker, and what fails."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
import wasmtime
from PIL import Image

from benchmarks.interface_guests import INTERFACES, guest_text
from integration.client import Caller, Failure, connect
from integration.conftest import StartServer
from integration.processes import settled, worker_pids
from models import model_bytes, model_path
from rig import Server
from rig.skip import need
from wasm_grpc.inference.registry import open_backend

pytestmark = pytest.mark.asyncio

CODES = grpc.StatusCode
GUESTS = Path(__file__).parents[1] / "conformance" / "tensorflowlite" / "guests"
DATA = Path(__file__).parents[3] / "shared" / "data"
BODY = struct.pack("<8f", 1, 2, 3, 4, 0.5, -2, 10, 0.25)
SUM = struct.pack("<4f", 1.5, 0, 13, 4.25)

OWN = """(module
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (import "wasmedge_tensorflowlite" "create_session" (func $create (param i32 i32 i32) (result i32)))
  (import "wasmedge_tensorflowlite" "append_input" (func $append (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasmedge_tensorflowlite" "run_session" (func $run (param i32) (result i32)))
  (memory (export "memory") 2)
  (data (i32.const 16) "n")
  (func $try (param $errno i32) (if (local.get $errno) (then (call $proc_exit (local.get $errno)))))
  (func (export "_start")
    (i64.store (i32.const 0) (i64.const 0x10000_00010000))
    (call $try (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
    (call $try (call $create (i32.const 65536) (i32.load (i32.const 8)) (i32.const 12)))
    (call $try (call $append (i32.load (i32.const 12)) (i32.const 16) (i32.const 1) (i32.const 65536)
      (i32.const 4)))
    (call $try (call $run (i32.load (i32.const 12))))))"""
"""Runs its input, a model with an input "n" of four bytes."""


def write_function(folder: Path, name: str, wasm: bytes, grants: str, model: Path | None = None) -> None:
    """Write a function that is granted models like this, and the model."""
    place = folder / name
    place.mkdir(parents=True)
    (place / "guest.wasm").write_bytes(wasm)
    if model is not None:
        (place / "model.tflite").write_bytes(model.read_bytes())
    (place / "function.toml").write_text(
        f'name = "{name}"\nmodule = "guest.wasm"\nlimits = {{ memory = "32MiB" }}\n[capabilities]\n{grants}\n'
        f'[[trigger.invoke]]\nmethod = "{name}"\n'
    )


def embedded(generation: str) -> bytes:
    """Return the guest of the crate of 2021 ("first") or since 0.3 ("current"), which embeds its model."""
    return (GUESTS / generation / "guest.wasm").read_bytes()


GRANTED = 'nn.models.sum = { path = "model.tflite" }'


@pytest_asyncio.fixture
async def server(start_server: StartServer, tmp_path: Path) -> AsyncIterator[Server]:
    """Serve functions that bring a granted model, one of their own, or one that nobody granted."""
    functions = tmp_path / "functions"
    for generation in ("first", "current"):
        write_function(functions, generation, embedded(generation), GRANTED, model_path("add-f32"))
    write_function(functions, "own", bytes(wasmtime.wat2wasm(OWN)), "nn.load = true")
    write_function(functions, "other", embedded("first"), GRANTED, model_path("double"))
    write_function(functions, "none", embedded("current"), "")
    async with start_server(functions, "--workers", "1", "--max-workers", "2") as running:
        await settled(running.process.pid, 2)
        yield running


@pytest_asyncio.fixture
async def caller(server: Server) -> AsyncIterator[Caller]:
    """Open a channel to the server."""
    async with connect(server.address) as channel:
        yield channel


async def test_a_granted_model_is_brought_call_after_call(server: Server, caller: Caller) -> None:
    """A module that embeds its model runs it without `load`, and no worker is made for its second call."""
    answers = [(await caller.invoke(name, BODY)).body for name in ("first", "current")]
    before = sorted(worker_pids(server.process.pid))

    answers += [(await caller.invoke(name, BODY)).body for name in ("first", "current")]

    assert answers == [SUM] * 4
    assert sorted(worker_pids(server.process.pid)) == before


@pytest.mark.parametrize("function", ["other", "none"])
async def test_a_model_must_be_granted(caller: Caller, function: str) -> None:
    """Another granted model is no permission to bring this one."""
    assert await caller.fail(function, BODY) == Failure(
        code=CODES.PERMISSION_DENIED,
        message=f"function '{function}': the guest brings a model that was not granted; "
        "expected the content of a file in capabilities.nn.models, or capabilities.nn.load = true "
        "(`wasm-grpc run`: --nn-model, --nn)",
        reason="DENIED",
        function=function,
    )


async def test_a_mistake_is_told(caller: Caller) -> None:
    """A tensor of the wrong size ends the call with the sentence that says so."""
    failure = await caller.fail("first", BODY[:16])

    assert (failure.code, failure.reason) == (CODES.INTERNAL, "TRAPPED")
    assert failure.message == (
        "function 'first': wasmedge_tensorflowlite_append_input: "
        "input 0 'a': has 8 bytes; expected 1x4:f32, 16 bytes"
    )


async def test_a_model_that_crashes_costs_one_worker(caller: Caller) -> None:
    """A guest's model that crashes the backend fails its own call with CRASHED, and no other."""
    crashed = await caller.fail("own", model_bytes("endless"))
    none = await caller.fail("own", b"GIF89a")

    assert crashed == Failure(
        code=CODES.INTERNAL,
        message="function 'own': its worker died while running it (signal SIGSEGV)",
        reason="CRASHED",
        function="own",
    )
    assert none.message.startswith(
        "function 'own': exit code 1; it said: wasmedge_tensorflowlite: create_session: "
        "the model is not a TensorFlow Lite model ("
    )
    assert (await caller.invoke("own", model_bytes("double"))).body == b""
    assert (await caller.invoke("first", BODY)).body == SUM


@pytest.fixture
def birds(tmp_path: Path) -> bytes:
    """Write functions that run a public model, each by another interface; return a photo as it takes one."""
    model = need(
        next(DATA.glob("birds_v1.tflite"), None), "no ../shared/data: it has a model of birds and a picture"
    )
    content = model.read_bytes()
    session = open_backend().open(content, threads=1)
    for interface in INTERFACES:
        wasm = bytes(wasmtime.wat2wasm(guest_text(interface, content, session)))
        write_function(tmp_path, interface, wasm, 'nn.models.model = { path = "model.tflite" }', model)
    return Image.open(DATA / "bird.jpg").convert("RGB").resize((224, 224)).tobytes()


async def test_a_bird_is_the_same_by_every_interface(
    start_server: StartServer, tmp_path: Path, birds: bytes
) -> None:
    """The model names the bird, with the same scores by wasi-nn and by both tables of WasmEdge's."""
    async with start_server(tmp_path, "--workers", "1") as server, connect(server.address) as caller:
        scores = [(await caller.invoke(interface, birds)).body for interface in INTERFACES]

    labels = (DATA / "birds_v1_labels.txt").read_text().splitlines()
    best = [max(range(len(labels)), key=each.__getitem__) for each in scores]
    assert {labels[index] for index in best} == {"Aix galericulata"}
    assert all(abs(a - b) <= 2 for each in scores for a, b in zip(scores[0], each, strict=True))
