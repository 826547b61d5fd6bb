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


BINDGEN = """
(module
  (memory (export "memory") 1)
  (func (export "allocate") (param i32) (result i32) (i32.const 1024))
  (func (export "deallocate") (param i32 i32))
  {functions})
"""
BINDGEN_MANIFEST = """
name = "f"
module = "f.wasm"
guest = "wasmedge-bindgen"
trigger.invoke = [{ method = "infer/*" }, { method = "a", call = "infer" }, { method = "b", call = "infre" }]
trigger.topic = [{ pubsub = "p", topic = "t" }]
trigger.binding = [{ name = "infer" }, { name = "timer" }]
"""


def _check_bindgen(environment: dict[str, str], folder: Path, *functions: str) -> list[str]:
    """Check a function that has these exports. Return what standard output says."""
    exports = "".join(
        f'(func (export "{name}") (param i32 i32) (result i32) (i32.const 0))' for name in functions
    )
    place = folder / "f"
    place.mkdir()
    (place / "f.wasm").write_bytes(bytes(wasmtime.wat2wasm(BINDGEN.format(functions=exports))))
    (place / "function.toml").write_text(BINDGEN_MANIFEST)

    ended = run_command("check", folder, "--engine", "wasmtime", env=environment)

    assert (ended.code, ended.stderr) == (0, "")
    return ended.stdout.decode().splitlines()


def test_a_function_that_a_module_does_not_export(environment: dict[str, str], tmp_path: Path) -> None:
    """Each trigger that calls one is told, since it would fail every call."""
    lines = _check_bindgen(environment, tmp_path, "infer", "grayscale")

    expected = "expected 'infer' or 'grayscale' in the trigger's `call`"
    assert lines[:-2] == [
        f"note: f/function.toml: trigger.invoke[2]: the module has no function 'infre'; {expected}",
        f"note: f/function.toml: trigger.topic[0]: the module has no function 'f'; {expected}",
        f"note: f/function.toml: trigger.binding[1]: the module has no function 'timer'; {expected}",
    ]


def test_a_module_with_many_functions(environment: dict[str, str], tmp_path: Path) -> None:
    """Only the first ones are listed, so none is said to be missing."""
    lines = _check_bindgen(environment, tmp_path, *(f"f{number}" for number in range(21)))

    assert [line for line in lines if line.startswith("note:")] == []


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
