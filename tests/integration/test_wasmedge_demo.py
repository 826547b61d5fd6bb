"""A module in the shape of the WasmEdge demo's of 2021, unmodified: bindgen, wasmedge_image, wasmedge_tensorflowlite."""

from __future__ import annotations

import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
import pytest_asyncio

from end_to_end.pictures import DIGIT, digit
from integration.client import Caller, Failure, connect
from integration.commands import run_command
from integration.conftest import StartServer
from integration.processes import settled, worker_pids
from rig import Server

__all__ = ["caller", "env", "server"]

REPOSITORY = Path(__file__).parents[2]
GUEST = REPOSITORY / "tests" / "conformance" / "demo" / "guest.wasm"
MODEL = REPOSITORY / "functions" / "classify" / "model" / "digits.tflite"
PICTURE = digit("JPEG", paper=0, ink=255)
ANSWER = re.compile(rf"{DIGIT} \(2\d\d of 255\)")
NOT_GRANTED = (
    "the guest brings a model that was not granted; expected the content of a file in capabilities.nn.models, "
    "or capabilities.nn.load = true (`wasm-grpc run`: --nn-model, --nn)"
)


def write_function(folder: Path, name: str, sections: str) -> None:
    """Write the module, the model that it embeds, and a manifest that calls `infer`."""
    place = folder / name
    place.mkdir(parents=True)
    shutil.copy(GUEST, place / "classify.wasm")
    shutil.copy(MODEL, place)
    (place / "function.toml").write_text(
        f'name = "{name}"\nmodule = "classify.wasm"\nguest = "wasmedge-bindgen"\ncontent_type = "text/plain"\n'
        f'{sections}[[trigger.invoke]]\nmethod = "{name}/image"\ncall = "infer"\n'
    )


@pytest_asyncio.fixture
async def server(start_server: StartServer, tmp_path: Path) -> AsyncIterator[Server]:
    """Serve the module with its model granted, and without."""
    write_function(tmp_path, "api", '[capabilities.nn]\nmodels.digits = { path = "digits.tflite" }\n')
    write_function(tmp_path, "none", "")
    async with start_server(tmp_path, "--workers", "1", "--max-workers", "2") as running:
        await settled(running.process.pid, 2)
        yield running


@pytest_asyncio.fixture
async def caller(server: Server) -> AsyncIterator[Caller]:
    """Open a channel to the server."""
    async with connect(server.address) as channel:
        yield channel


@pytest.fixture
def env(cache_environment: dict[str, str]) -> dict[str, str]:
    """Return an environment whose log is what a person sees."""
    return {**cache_environment, "WASM_GRPC_LOG": "warning"}


@pytest.mark.asyncio
async def test_it_reads_digits_in_one_worker(server: Server, caller: Caller) -> None:
    """It decodes a JPEG and runs the model that it embeds, in a worker that serves one call after the other."""
    first = await caller.invoke("api/image", PICTURE)
    before = worker_pids(server.process.pid)

    replies = [first, *[await caller.invoke("api/image", PICTURE) for _ in range(3)]]

    assert {reply.content_type for reply in replies} == {"text/plain"}
    assert all(ANSWER.fullmatch(reply.body.decode()) for reply in replies), replies
    assert worker_pids(server.process.pid) == before


@pytest.mark.asyncio
async def test_its_model_must_be_granted(caller: Caller) -> None:
    """The same module is refused where the manifest grants no model."""
    assert await caller.fail("none/image", PICTURE) == Failure(
        code=grpc.StatusCode.PERMISSION_DENIED,
        message=f"function 'none': {NOT_GRANTED}",
        reason="DENIED",
        function="none",
    )


def test_it_runs_from_a_shell(engine: str, env: dict[str, str]) -> None:
    """The picture is standard input, and the text is standard output."""
    command = ["run", "--engine", engine, "--nn-model", f"d={MODEL}", "--call", "infer", str(GUEST)]

    ended = run_command(*command, env=env, stdin=PICTURE)

    assert ANSWER.fullmatch(ended.stdout.decode()), ended
    assert (ended.code, ended.stderr) == (0, "")


def test_a_run_grants_no_model_by_itself(engine: str, env: dict[str, str]) -> None:
    """One line says which flags do."""
    ended = run_command("run", "--engine", engine, "--call", "infer", GUEST, env=env, stdin=PICTURE)

    said = [f"wasm-grpc run: {GUEST}: {NOT_GRANTED}"]
    assert (ended.code, ended.stdout, ended.errors) == (134, b"", said)
