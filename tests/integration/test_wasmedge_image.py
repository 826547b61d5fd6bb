"""Functions that import wasmedge_image: what they get, what it costs the others, and where Pillow is missing."""

from __future__ import annotations

import io
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
import wasmtime
from PIL import Image

from integration.client import Caller, Failure, connect
from integration.commands import run_command
from integration.conftest import StartServer
from integration.guests import write_function
from integration.processes import process_pids, settled, worker_pids
from pixels.files import jpeg, noise, png, png_of, ramp
from rig import Server, missing

CODES = grpc.StatusCode
DATA = Path(__file__).parents[3] / "shared" / "data"

# 16 bytes from 0: an iovec, and a count. The picture is at 65,536, and the pixels are at 1,024.
GUEST = """(module
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (import "wasmedge_image" "load_image" (func $load (param i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 33)
  (func (export "_start") (local $length i32) (local $read i32)
    (loop $more
      (i32.store (i32.const 0) (i32.add (i32.const 65536) (local.get $length)))
      (i32.store (i32.const 4) (i32.sub (i32.const 2097152) (local.get $length)))
      (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
      (local.set $read (i32.load (i32.const 8)))
      (local.set $length (i32.add (local.get $length) (local.get $read)))
      (br_if $more (local.get $read)))
    (if (call $load (i32.const 65536) (local.get $length) (i32.const 2) (i32.const 2) (i32.const 0)
      (i32.const 1024) (i32.const 12)) (then (call $proc_exit (i32.const 1))))
    (i32.store (i32.const 0) (i32.const 1024))
    (i32.store (i32.const 4) (i32.const 12))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"""
WHITE = png_of((4000, 4000), 8, 0, (b"\0" + b"\xff" * 4000) * 4000)
"""16,000,000 pixels in a few KiB."""


# 48: a tensor's record, 80: its dimensions, 96: "birds", 104: a graph, 108: a context. The tensor is at 2,200,000.
CLASSIFIER = """(module
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasmedge_image" "NAME" (func $picture (param PARAMS) (result i32)))
  (import "wasi_ephemeral_nn" "load_by_name" (func $load (param i32 i32 i32) (result i32)))
  (import "wasi_ephemeral_nn" "init_execution_context" (func $begin (param i32 i32) (result i32)))
  (import "wasi_ephemeral_nn" "set_input" (func $set_input (param i32 i32 i32) (result i32)))
  (import "wasi_ephemeral_nn" "compute" (func $compute (param i32) (result i32)))
  (import "wasi_ephemeral_nn" "get_output" (func $output (param i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 40)
  (data (i32.const 48) "\\50\\00\\00\\00\\04\\00\\00\\00\\02\\00\\00\\00\\c0\\91\\21\\00\\00\\4c\\02\\00")
  (data (i32.const 80) "\\01\\00\\00\\00\\e0\\00\\00\\00\\e0\\00\\00\\00\\03\\00\\00\\00birds")
  (func $try (param $failed i32) (if (local.get $failed) (then unreachable)))
  (func (export "_start") (local $length i32) (local $read i32)
    (loop $more
      (i32.store (i32.const 0) (i32.add (i32.const 65536) (local.get $length)))
      (i32.store (i32.const 4) (i32.sub (i32.const 2097152) (local.get $length)))
      (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
      (local.set $read (i32.load (i32.const 8)))
      (local.set $length (i32.add (local.get $length) (local.get $read)))
      (br_if $more (local.get $read)))
    (call $try (call $picture (i32.const 65536) (local.get $length) (i32.const 224) (i32.const 224) REST))
    (call $try (call $load (i32.const 96) (i32.const 5) (i32.const 104)))
    (call $try (call $begin (i32.load (i32.const 104)) (i32.const 108)))
    (call $try (call $set_input (i32.load (i32.const 108)) (i32.const 0) (i32.const 48)))
    (call $try (call $compute (i32.load (i32.const 108))))
    (call $try (call $output (i32.load (i32.const 108)) (i32.const 0) (i32.const 1024) (i32.const 965)
      (i32.const 8)))
    (i32.store (i32.const 0) (i32.const 1024))
    (i32.store (i32.const 4) (i32.const 965))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"""
BIRDS = {
    "load_jpg": ("i32 i32 i32 i32 i32 i32 i32", "(i32.const 0) (i32.const 2200000) (i32.const 150528)"),
    "wasmedge_image_load_jpg_to_rgb8": ("i32 i32 i32 i32 i32", "(i32.const 2200000)"),
}
"""The functions by which a classifier gets its picture: their parameters, and the arguments after the size."""


def write_decoder(folder: Path, name: str, *, more: str = "") -> Path:
    """Write a function that answers with a picture's four pixels once it is scaled to 2x2."""
    place = write_function(folder, name, guest="echo", sections=more)
    (place / f"{name}.wasm").write_bytes(bytes(wasmtime.wat2wasm(GUEST)))
    return place


@pytest_asyncio.fixture
async def server(start_server: StartServer, tmp_path: Path) -> AsyncIterator[Server]:
    """Serve a function that decodes pictures, one that is loaded when it is called, and one that does neither."""
    functions = tmp_path / "functions"
    write_decoder(functions, "decode")
    write_decoder(functions, "later", more="[pool]\nmin = 0\n")
    write_decoder(functions, "small", more='[limits]\nmemory = "4MiB"\n')
    write_function(functions, "echo")
    async with start_server(functions, "--workers", "1") as running:
        await settled(running.process.pid, 2)
        yield running


@pytest_asyncio.fixture
async def caller(server: Server) -> AsyncIterator[Caller]:
    """Open a channel to the server."""
    async with connect(server.address) as channel:
        yield channel


def libraries(pid: int) -> set[str]:
    """Return which of the libraries for pictures a process has mapped."""
    maps = Path(f"/proc/{pid}/maps").read_text()
    return {name for name in ("numpy", "PIL") if f"/{name}/" in maps}


@pytest.mark.asyncio
@pytest.mark.parametrize("function", ["decode", "later"])
async def test_pixels(caller: Caller, function: str) -> None:
    """A function gets the pixels of a PNG and of a JPEG, whenever it was loaded."""
    pixels = noise(2, 2)

    exact = await caller.invoke(function, png(pixels))
    lossy = await caller.invoke(function, jpeg(ramp(2, 2)))

    assert exact.body == bytes(channel for row in pixels for pixel in row for channel in pixel)
    expected = [channel for row in ramp(2, 2) for pixel in row for channel in pixel]
    assert max(abs(a - b) for a, b in zip(lossy.body, expected, strict=True)) <= 4


@pytest.mark.asyncio
async def test_a_large_picture(caller: Caller) -> None:
    """16 million pixels are decoded within the limits of a worker, and then the next call is served."""
    for _ in range(2):
        assert (await caller.invoke("decode", WHITE)).body == b"\xff" * 12


@pytest.mark.asyncio
async def test_decoding_has_room_of_its_own(start_server: StartServer, tmp_path: Path) -> None:
    """A worker's limit on memory grows by what the largest picture takes that its functions may decode."""
    limits = '[limits]\noutput = "1MiB"\nscratch = 0\n'
    write_decoder(tmp_path / "functions", "decode", more=limits)
    file = io.BytesIO()
    Image.new("CMYK", (4000, 4000)).save(file, "JPEG", progressive=True)
    env = {"WASM_GRPC_WORKER_BYTES": str(64 << 20)}

    async with (
        start_server(tmp_path / "functions", env=env) as server,
        connect(server.address) as caller,
    ):
        reply = await caller.invoke("decode", file.getvalue())

    assert reply.body == b"\xff" * 12


@pytest.mark.asyncio
async def test_a_picture_that_is_too_large_for_its_function(caller: Caller) -> None:
    """It is refused before it takes any memory, the function's log says why, and the worker goes on."""
    refused = await caller.fail("small", WHITE)
    after = await caller.invoke("small", png(noise(2, 2)))

    assert refused == Failure(
        code=CODES.INTERNAL,
        message="function 'small': exit code 1; it said: wasmedge_image: load_image: the picture has "
        "4000x4000 pixels; expected at most 1048576, which is a quarter of limits.memory",
        reason="EXITED",
        function="small",
    )
    assert len(after.body) == 12


@pytest.mark.asyncio
async def test_the_libraries_come_from_the_template(server: Server) -> None:
    """A worker has them before its first call."""
    template = max(process_pids(server.process.pid, "wasm-template"))

    assert [libraries(pid) for pid in (template, *worker_pids(server.process.pid))] == [{"numpy", "PIL"}] * 3


@pytest.mark.asyncio
async def test_who_decodes_no_pictures_has_no_libraries(start_server: StartServer, tmp_path: Path) -> None:
    """A server whose functions don't import wasmedge_image starts as fast, and takes as little memory, as before."""
    write_function(tmp_path / "functions", "echo")

    async with start_server(tmp_path / "functions", "--workers", "1") as server:
        await settled(server.process.pid, 2)
        pids = [
            *process_pids(server.process.pid, "wasm-template"),
            *worker_pids(server.process.pid),
        ]

        assert [libraries(pid) for pid in pids] == [set()] * 4


@pytest.mark.asyncio
@pytest.mark.parametrize("name", BIRDS)
async def test_a_classifier(start_server: StartServer, tmp_path: Path, name: str) -> None:
    """A guest that decodes a photo by wasmedge_image and runs a model of birds by wasi-nn finds the bird."""
    if not (DATA / "birds_v1.tflite").is_file():
        missing("no ../shared/data: it has a model of birds and a picture")
    params, rest = BIRDS[name]
    wat = CLASSIFIER.replace("NAME", name).replace("PARAMS", params).replace("REST", rest)
    sections = '[capabilities.nn]\nmodels.birds = { path = "birds.tflite" }\n'
    place = write_function(tmp_path / "functions", "bird", guest="echo", sections=sections)
    (place / "bird.wasm").write_bytes(bytes(wasmtime.wat2wasm(wat)))
    shutil.copy(DATA / "birds_v1.tflite", place / "birds.tflite")

    async with start_server(tmp_path / "functions") as server, connect(server.address) as caller:
        reply = await caller.invoke("bird", (DATA / "bird.jpg").read_bytes())

    scores = list(reply.body)
    assert (len(scores), scores.index(max(scores))) == (965, 166)
    assert max(scores) > 150


def test_run(engine: str, tmp_path: Path, cache_environment: dict[str, str]) -> None:
    """`wasm-grpc run` decodes too; nothing but the result is printed."""
    (tmp_path / "decode.wasm").write_bytes(bytes(wasmtime.wat2wasm(GUEST)))
    env = {**cache_environment, "WASM_GRPC_LOG": "warning"}

    ended = run_command("run", "--engine", engine, tmp_path / "decode.wasm", env=env, stdin=WHITE)

    assert (ended.stdout, ended.stderr, ended.code) == (b"\xff" * 12, "", 0)


def test_without_pillow(engine: str, tmp_path: Path, cache_environment: dict[str, str]) -> None:
    """An interpreter without it refuses functions that import wasmedge_image, and serves the others."""
    functions = tmp_path / "functions"
    write_decoder(functions, "decode")
    write_function(functions, "echo")
    (tmp_path / "broken" / "PIL").mkdir(parents=True)
    (tmp_path / "broken" / "PIL" / "__init__.py").write_text("raise ImportError('no such library')")
    env = {**cache_environment, "PYTHONPATH": str(tmp_path / "broken"), "WASM_GRPC_LOG": "warning"}

    refused = run_command("check", functions, "--engine", engine, env=env)
    served = run_command("serve", functions, "--engine", engine, env={**env, "APP_PORT": "0"})
    other = run_command("check", functions / "echo", "--engine", engine, env=env)
    run = run_command("run", "--engine", engine, functions / "decode" / "decode.wasm", env=env)
    told = run_command("doctor", "--engine", engine, env=env)

    version = re.search(r"CPython [\d.]+", refused.stderr)
    assert version is not None
    reason = (
        f"{engine}: pictures can't be decoded in {version[0]} (no such library); "
        "expected 'wasm-grpc[pictures]' there (`make setup` installs it)"
    )
    assert (refused.errors, refused.code) == ([f"decode/decode.wasm: {reason}"], 2)
    assert (served.errors, served.code) == ([f"decode/decode.wasm: {reason}"], 2)
    assert other.code == 0
    assert (run.errors[-1].endswith(reason), run.code) == (True, 125)
    assert f"--  pictures {engine}" in told.stdout.decode()


def test_doctor(engine: str, cache_environment: dict[str, str]) -> None:
    """`doctor` says which decoder each engine's workers have."""
    told = run_command("doctor", "--engine", engine, env={**cache_environment, "WASM_GRPC_LOG": "warning"})

    assert re.search(rf"^ok +pictures {engine} +Pillow [\d.]+ on CPython", told.stdout.decode(), re.MULTILINE)
