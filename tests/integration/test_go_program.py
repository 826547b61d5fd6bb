"""A Go program under `wasm-grpc run` beside the same program built for this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from integration.commands import run_command
from rig import need

__all__ = []

SOURCE = Path(__file__).parents[1] / "conformance" / "guests" / "go"


@pytest.fixture(scope="module")
def native(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the guest's own source, built for this machine."""
    go = need(shutil.which("go"), "go: not found; expected Go 1.21 or newer, for the program run natively")
    program = tmp_path_factory.mktemp("native") / "guest"
    build = [go, "build", "-buildvcs=false", "-o", os.fspath(program), "."]
    subprocess.run(build, cwd=SOURCE, env={**os.environ, "GOTOOLCHAIN": "local"}, check=True, timeout=150)
    return program


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with what is read, in ``data``, and room to write in, ``out``."""
    data = tmp_path / "data"
    (data / "sub" / "empty").mkdir(parents=True)
    (data / "text.txt").write_text("größer\n", "utf-8")
    (data / "nothing").touch()
    (data / "sub" / "bytes").write_bytes(bytes(range(256)) * 100)
    (data / "link").symlink_to("sub/bytes")
    (data / "sub" / "up").symlink_to("../text.txt")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "kept").write_text("from the start")
    return tmp_path


@pytest.mark.timeout(180)  # the first build of Go's library for this machine
def test_it_says_what_it_says_natively(
    engine: str, native: Path, folder: Path, cache_environment: dict[str, str]
) -> None:
    """Walking, reading, writing, renaming and linking files gives the very same output in the sandbox."""
    # WASI has no working directory: Go takes it from PWD, else the first folder that it is given.
    options = ["--engine", engine, "--env", "PWD=/", "--file", f"{folder / 'data'}:/data"]
    options += ["--scratch", f"{folder / 'out'}:/out"]
    env = {**cache_environment, "WASM_GRPC_LOG": "warning"}

    sandboxed = run_command("run", *options, SOURCE / "guest.wasm", "tour", "data", "out", env=env)
    natively = subprocess.run(
        [native, "tour", "data", "out"], cwd=folder, capture_output=True, check=True, timeout=10
    )

    assert (sandboxed.stderr, sandboxed.code) == ("", 0)
    assert sandboxed.stdout == natively.stdout
    assert natively.stdout.count(b"\n") == 24
    # The program that ran natively is the one that left something behind, after the guest had run.
    assert (folder / "out" / "symbolic").readlink() == Path("second")
