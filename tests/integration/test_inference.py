"""Functions that run models: what they answer, what their mistakes cost, and what a bad model can't do."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
import pytest_asyncio

from integration.client import Caller, Failure, connect
from integration.conftest import StartServer
from integration.guests import write_function
from integration.processes import busy_worker, settled, until, worker_pids
from models import model_bytes, model_path
from rig import Server

pytestmark = pytest.mark.asyncio

CODES = grpc.StatusCode
DEFAULT = '[capabilities.nn]\nmodels.default = { path = "model.tflite" }\n'
OWN = "[capabilities.nn]\nload = true\n"
EVER = 2**31 - 1
"""Rounds of the model count-up that nobody waits for."""


def i32(value: int) -> bytes:
    """Return the bytes of a tensor of one whole number."""
    return struct.pack("<i", value)


def write_model_function(
    folder: Path, name: str, model: str, *, guest: str = "infer", more: str = ""
) -> Path:
    """Write a function that runs a model of the tests' own by the name "default"."""
    place = write_function(folder, name, guest=guest, sections=more + DEFAULT)
    shutil.copy(model_path(model), place / "model.tflite")
    return place


@pytest_asyncio.fixture
async def server(start_server: StartServer, tmp_path: Path) -> AsyncIterator[Server]:
    """Serve functions with models and without, for one test."""
    functions = tmp_path / "functions"
    for name in ("double", "same", "again"):
        write_model_function(functions, name, "double")
    write_model_function(functions, "picture", "reshape-u8")
    write_model_function(functions, "count", "count-up", more='[limits]\ntimeout = "500ms"\n')
    write_model_function(functions, "cpu", "count-up", more='[limits]\ntimeout = "15s"\ncpu = "300ms"\n')
    patient = write_model_function(functions, "patient", "count-up", more='[limits]\ntimeout = "15s"\n')
    manifest = patient / "function.toml"
    # With as many threads as no other function asks for, so that it shares its model with none.
    manifest.write_text(manifest.read_text().replace('"model.tflite" }', '"model.tflite", threads = 2 }'))
    write_function(functions, "own", guest="infer-own", sections=OWN)
    write_function(functions, "unnamed", guest="infer")
    write_function(functions, "denied", guest="infer-own")
    async with start_server(functions, "--workers", "1", "--max-workers", "2") as running:
        await settled(running.process.pid, 2)
        yield running


@pytest_asyncio.fixture
async def caller(server: Server) -> AsyncIterator[Caller]:
    """Open a channel to the server."""
    async with connect(server.address) as channel:
        yield channel


def exited(function: str, errno: int, said: str) -> Failure:
    """Return the failure of a guest that exits with wasi-nn's errno, after what the host logged."""
    return Failure(
        code=CODES.INTERNAL,
        message=f"function '{function}': exit code {errno}; it said: wasi-nn: {said}",
        reason="EXITED",
        function=function,
    )


async def test_models_answer(caller: Caller) -> None:
    """A named model and a guest's own compute; the numbers are worked out by hand."""
    twice = await caller.invoke("double", i32(-21))
    counted = await caller.invoke("count", i32(1000))
    # The guest's input is its model, whose first four bytes are the tensor.
    own = await caller.invoke("own", model_bytes("double"))

    first = struct.unpack_from("<i", model_bytes("double"))[0]
    assert (twice.body, counted.body, own.body) == (i32(-42), i32(1000), i32(2 * first))


async def test_mistakes_are_told(caller: Caller) -> None:
    """An unknown name, a wrong tensor and a bad model have their errno, and a sentence for whoever looks."""
    unknown = await caller.fail("unnamed", i32(1))
    wrong = await caller.fail("picture", i32(1))
    none = await caller.fail("own", b"GIF89a")
    lacking = await caller.fail("own", model_bytes("custom"))
    leading_out = await caller.fail("own", model_bytes("transpose-twice"))

    assert unknown == exited(
        "unnamed", 8, "load_by_name: no model 'default'; expected one that is granted (none is)"
    )
    assert wrong == exited(
        "picture", 1, "set_input: input 0 'picture': has 4 bytes; expected 1x2x2x3:u8, 12 bytes"
    )
    assert (none.code, none.reason) == (CODES.INTERNAL, "EXITED")
    assert none.message.startswith(
        "function 'own': exit code 1; it said: wasi-nn: load: the model is not a TensorFlow Lite model ("
    )
    assert lacking == exited("own", 6, "load: the model has operators that the backend lacks (Oracle)")
    assert leading_out == exited(
        "own",
        1,
        "load: the model has an operator TRANSPOSE that may access memory outside its tensors; "
        "expected constant parameters that are in range",
    )


async def test_an_own_model_must_be_allowed(caller: Caller) -> None:
    """Without `load = true` a guest that brings its model is denied."""
    assert await caller.fail("denied", model_bytes("double")) == Failure(
        code=CODES.PERMISSION_DENIED,
        message="function 'denied': the guest brings a model that was not granted; "
        "expected the content of a file in capabilities.nn.models, or capabilities.nn.load = true "
        "(`wasm-grpc run`: --nn-model, --nn)",
        reason="DENIED",
        function="denied",
    )


async def test_inference_ends_with_its_time(server: Server, caller: Caller) -> None:
    """A model that runs too long is killed by wall time or CPU time; its neighbours and the next call aren't."""
    late, spent, neighbour = await asyncio.gather(
        caller.fail("count", i32(EVER)), caller.fail("cpu", i32(EVER)), caller.invoke("double", i32(4))
    )

    assert (late.code, late.reason, late.limit) == (CODES.DEADLINE_EXCEEDED, "TIMEOUT", "limits.timeout")
    assert (spent.code, spent.reason, spent.limit) == (CODES.DEADLINE_EXCEEDED, "CPU_LIMIT", "limits.cpu")
    assert neighbour.body == i32(8)
    assert (await caller.invoke("count", i32(3))).body == i32(3)


async def test_a_caller_who_goes_stops_the_inference(server: Server, caller: Caller) -> None:
    """A cancelled call kills the worker in the middle of a run of its model."""
    # So that its worker is there to be watched.
    await caller.invoke("patient", i32(1))
    call = caller.start("patient", i32(EVER))
    sent = asyncio.ensure_future(call)
    worker = await busy_worker(server.process.pid)

    call.cancel()

    await until(lambda: worker not in worker_pids(server.process.pid), "the worker's end")
    with pytest.raises(asyncio.CancelledError):
        await sent
    assert (await caller.invoke("double", i32(1))).body == i32(2)


async def test_a_model_that_crashes_costs_one_worker(caller: Caller) -> None:
    """A guest's model that crashes the backend fails its own call with CRASHED, and no other."""
    assert await caller.fail("own", model_bytes("endless")) == Failure(
        code=CODES.INTERNAL,
        message="function 'own': its worker died while running it (signal SIGSEGV)",
        reason="CRASHED",
        function="own",
    )
    assert (await caller.invoke("own", model_bytes("double"))).body


async def test_a_worker_maps_a_model_twice(server: Server, caller: Caller) -> None:
    """
    Functions that name one model have workers of their own, each of which maps the file twice.

    One mapping is the backend's. With the other, a model that a guest brings is compared.
    """
    for name in ("double", "same", "again"):
        assert (await caller.invoke(name, i32(5))).body == i32(10)

    for worker in worker_pids(server.process.pid):
        maps = Path(f"/proc/{worker}/maps").read_text()
        assert len(re.findall(r"/(double|same|again)/model\.tflite$", maps, re.MULTILINE)) == 2


async def test_a_model_that_changes_is_not_taken_up(server: Server, caller: Caller, tmp_path: Path) -> None:
    """Workers keep the model of the start; one that starts later takes no other in its place."""
    model = tmp_path / "functions" / "patient" / "model.tflite"
    other = tmp_path / "other.tflite"
    other.write_bytes(model_bytes("double"))
    await caller.invoke("patient", i32(1))
    other.replace(model)

    assert (await caller.invoke("patient", i32(7))).body == i32(7)
    for pid in worker_pids(server.process.pid):
        os.kill(pid, signal.SIGKILL)
    failure = await caller.fail("patient", i32(7))

    assert (failure.code, failure.message) == (
        CODES.UNAVAILABLE,
        "function 'patient': it can't be loaded: model 'default': changed since the start; "
        "expected the file as it was at the start",
    )
    assert (await caller.invoke("double", i32(7))).body == i32(14)
