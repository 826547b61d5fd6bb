"""Child processes import modules only from their installation, in whatever folder a command starts."""

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
"""Names that a child or the command itself imports. The last two are not valid names of functions."""


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """Return a folder of functions, each named like a package, with code that leaves a mark if it is imported."""
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
    """A server that starts in their folder serves them, and imports none of them."""
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
    """No command imports a function from the working directory."""
    command, *rest = arguments.split()
    line = f"{shutil.which('wasm-grpc', path=str(Path(sys.executable).parent))} {command} --engine {engine}"

    ended = run_shell(" ".join([line, *rest]), env=cache_environment, cwd=trap)

    assert (ended.code, _imported(trap)) == (0, []), ended.stderr


def test_python_m_among_functions_named_as_packages(
    engine: str, cache_environment: dict[str, str], trap: Path
) -> None:
    """`python -m wasm_grpc` removes the working directory, which Python puts on the path, from it."""
    # Python itself imports these two from the working directory, before any of our code runs.
    shutil.rmtree(trap / "wasm_grpc")
    for name in ("wasm_grpc.py", "runpy.py"):
        (trap / name).unlink()
    shutil.rmtree(trap / "runpy")

    ended = run_command("check", ".", "--engine", engine, env=cache_environment, cwd=trap)

    assert (ended.code, _imported(trap)) == (0, []), ended.stderr


def test_a_relative_python_path(engine: str, cache_environment: dict[str, str], trap: Path) -> None:
    """Relative entries of PYTHONPATH, which mean the working directory, are not passed to children."""
    line = f"{sys.executable} -I -m wasm_grpc check . --engine {engine}"
    env = {**cache_environment, "PYTHONPATH": ":.:functions"}

    ended = run_shell(line, env=env, cwd=trap)

    assert (ended.code, _imported(trap)) == (0, []), ended.stderr


def test_an_installation_on_the_python_path(
    engine: str, cache_environment: dict[str, str], tmp_path: Path
) -> None:
    """Absolute entries of PYTHONPATH are passed to children, since an installation may need them."""
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
