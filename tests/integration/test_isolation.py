"""Child processes take modules from their installation alone, wherever a command is started."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from integration.client import connect
from integration.commands import run_command, run_shell
from integration.guests import write_function
from rig import serve

FUNCTIONS = ("wasmtime", "wasmer", "grpc", "dapr", "runpy", "argparse", "mmap", "pydantic")
PACKAGES = (*FUNCTIONS, "wasm_grpc", "wasmer_compiler_cranelift")
"""Names that a child, or the command itself, imports; the last two can't be a function's."""


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """Return a folder of functions, each named as a package whose code leaves a mark when it is imported."""
    for name in FUNCTIONS:
        write_function(tmp_path / "functions", name, guest="echo")
    for name in PACKAGES:
        place = tmp_path / "functions" / name
        place.mkdir(exist_ok=True)
        mark = (
            f"import pathlib; pathlib.Path({str(tmp_path / name)!r}).touch()\nraise ImportError({name!r})\n"
        )
        (place / "__init__.py").write_text(mark)
        (tmp_path / "functions" / f"{name}.py").write_text(mark)
    return tmp_path / "functions"


def _imported(trap: Path) -> list[str]:
    return [name for name in PACKAGES if (trap.parent / name).exists()]


@pytest.mark.asyncio
async def test_functions_named_as_packages(
    engine: str, cache_environment: dict[str, str], trap: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that is started among them imports none, and serves them."""
    monkeypatch.chdir(trap)

    async with (
        serve(Path(), "--engine", engine, env=cache_environment) as server,
        connect(server.address) as caller,
    ):
        bodies = [(await caller.invoke(name, name.encode())).body for name in FUNCTIONS]

    assert bodies == [name.encode() for name in FUNCTIONS]
    assert _imported(trap) == []


@pytest.mark.parametrize("arguments", ["check .", "compile .", "doctor", "run wasmtime/wasmtime.wasm"])
def test_commands_among_functions_named_as_packages(
    engine: str, cache_environment: dict[str, str], trap: Path, arguments: str
) -> None:
    """No command imports one either."""
    command, *rest = arguments.split()
    line = f"{shutil.which('wasm-grpc', path=str(Path(sys.executable).parent))} {command} --engine {engine}"

    ended = run_shell(" ".join([line, *rest]), env=cache_environment, cwd=trap)

    assert (ended.code, _imported(trap)) == (0, []), ended.stderr


def test_python_m_among_functions_named_as_packages(
    engine: str, cache_environment: dict[str, str], trap: Path
) -> None:
    """`python -m wasm_grpc` puts the working directory on the path, and takes it off again."""
    # Of this name alone Python has taken the folder's package before any code of ours runs.
    shutil.rmtree(trap / "wasm_grpc")
    for name in ("wasm_grpc.py", "runpy.py"):
        (trap / name).unlink()
    shutil.rmtree(trap / "runpy")

    ended = run_command("check", ".", "--engine", engine, env=cache_environment, cwd=trap)

    assert (ended.code, _imported(trap)) == (0, []), ended.stderr


def test_a_relative_python_path(engine: str, cache_environment: dict[str, str], trap: Path) -> None:
    """An entry of PYTHONPATH that means the working directory does not reach a child."""
    line = f"{sys.executable} -I -m wasm_grpc check . --engine {engine}"
    env = {**cache_environment, "PYTHONPATH": ":.:functions"}

    ended = run_shell(line, env=env, cwd=trap)

    assert (ended.code, _imported(trap)) == (0, []), ended.stderr


def test_an_installation_on_the_python_path(
    engine: str, cache_environment: dict[str, str], tmp_path: Path
) -> None:
    """Absolute entries of PYTHONPATH reach the children: an installation may consist of them."""
    (tmp_path / "own" / "wasmtime").mkdir(parents=True)
    (tmp_path / "own" / "wasmer").mkdir()
    for name in ("wasmtime", "wasmer"):
        (tmp_path / "own" / name / "__init__.py").write_text("raise ImportError('that of PYTHONPATH')")
    write_function(tmp_path / "functions", "echo")

    ended = run_command(
        "check",
        tmp_path / "functions",
        "--engine",
        engine,
        env={**cache_environment, "PYTHONPATH": str(tmp_path / "own")},
    )

    assert ended.code == 2
    assert "that of PYTHONPATH" in ended.stderr
