"""`wasm-grpc check`, as its users run it: what it says of modules that are right, and of single files."""

from __future__ import annotations

from pathlib import Path

import pytest
import wasmtime

from integration.commands import run_command
from integration.guests import write_functions

pytestmark = pytest.mark.timeout(60)  # each run starts an interpreter or two

REACTOR = '(module (memory (export "memory") 1) (func (export "_initialize")))'


@pytest.fixture
def environment(cache_environment: dict[str, str]) -> dict[str, str]:
    """Return the environment of a command that logs as little as a person's does."""
    return {**cache_environment, "WASM_GRPC_LOG": "warning"}


def test_a_function_that_is_right(engine: str, environment: dict[str, str], tmp_path: Path) -> None:
    """Its engines, and below them what its module is and imports."""
    functions = write_functions(tmp_path / "functions", {"echo": ""})

    ended = run_command("check", functions, "--engine", engine, env=environment)

    first, second = ended.stdout.decode().splitlines()
    assert (ended.code, ended.stderr) == (0, "")
    assert first.startswith(f"echo: ok ({engine} ")
    assert second == "  WASI command; imports wasi_snapshot_preview1"


def test_a_file(engine: str, environment: dict[str, str], tmp_path: Path) -> None:
    """Without a manifest it says which guest interface the module needs, and which engines take it."""
    file = write_functions(tmp_path / "functions", {"echo": ""}) / "echo" / "echo.wasm"

    ended = run_command("check", file, "--engine", engine, env=environment)

    first, second = ended.stdout.decode().splitlines()
    assert (ended.code, ended.stderr) == (0, "")
    assert first == f'{file}: WASI command; imports wasi_snapshot_preview1; guest = "wasi-command"'
    assert second.startswith(f"{file}: ok ({engine} ")


def test_a_file_that_no_guest_interface_calls(environment: dict[str, str], tmp_path: Path) -> None:
    """What it is goes to standard output, why that doesn't run here to standard error."""
    (tmp_path / "lib.wasm").write_bytes(bytes(wasmtime.wat2wasm(REACTOR)))

    ended = run_command("check", "lib.wasm", env=environment, cwd=tmp_path)

    assert (ended.code, ended.stdout.decode()) == (2, "lib.wasm: WASI reactor\n")
    assert ended.stderr.startswith(
        "lib.wasm: module is a reactor: it exports '_initialize' and no '_start'; "
    )


def test_a_file_that_is_no_module(environment: dict[str, str], tmp_path: Path) -> None:
    """One line names the file and what was expected."""
    (tmp_path / "lib.wasm").write_bytes(b"# notes")

    ended = run_command("check", "lib.wasm", env=environment, cwd=tmp_path)

    assert (ended.code, ended.stdout.decode(), ended.stderr) == (
        2,
        "",
        "wasm-grpc check: lib.wasm: module is not WebAssembly, it begins with b'# no'; "
        "expected a WebAssembly core module\n",
    )
