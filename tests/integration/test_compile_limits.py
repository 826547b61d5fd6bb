"""A module that could not be compiled in time, or in its memory, is tried again the next time."""

from __future__ import annotations

from pathlib import Path

import pytest
import wasmtime

from integration.commands import run_command
from integration.guests import write_function


def _write_large(folder: Path) -> None:
    """Write a function whose module takes more than 64 MiB to compile."""
    write_function(folder, "large", guest="echo")
    step = "(i32.store (local.get 0) (i32.mul (local.get 0) (i32.load8_u (local.get 0))))"
    text = f'(module (memory (export "memory") 1) (func (export "_start") (local i32) {step * 50_000}))'
    (folder / "large" / "large.wasm").write_bytes(wasmtime.wat2wasm(text))


def _write_small(folder: Path) -> None:
    """Write a function that compiles at once."""
    write_function(folder, "small", guest="echo")


LIMITS = {
    "time": (
        _write_small,
        {"WASM_GRPC_COMPILE_S": "0.0001"},
        "compiling it took longer than 0.0001 s; expected less, or more time by WASM_GRPC_COMPILE_S",
    ),
    "memory": (
        _write_large,
        {"WASM_GRPC_COMPILE_BYTES": str(64 << 20)},
        "expected at most 64 MiB of memory, which WASM_GRPC_COMPILE_BYTES raises",
    ),
}


@pytest.mark.parametrize("case", LIMITS)
@pytest.mark.parametrize("command", ["check", "compile"])
def test_a_limit_of_compiling_is_not_remembered(engine: str, tmp_path: Path, case: str, command: str) -> None:
    """The line names the setting that helps; with enough of it the module is compiled."""
    write, tight, message = LIMITS[case]
    write(tmp_path / "functions")
    env = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    flags = (command, tmp_path / "functions", "--engine", engine)

    refused = run_command(*flags, env={**env, **tight})
    taken = run_command(*flags, env=env)

    assert refused.code == 2
    assert message in refused.stderr
    assert taken.code == 0, taken.stderr


def test_another_limit_on_memory_compiles_nothing_anew(engine: str, tmp_path: Path) -> None:
    """Code of one limit serves another near it, on Wasmtime any other; one that is too small is refused still."""
    folder = tmp_path / "functions"
    env = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    module = wasmtime.wat2wasm('(module (memory (export "memory") 32) (func (export "_start")))')

    states = []
    for limit in ("512MiB", "511MiB", "481MiB", "64MiB", "1MiB"):
        write_function(folder / limit, "grown", guest="echo", sections=f'[limits]\nmemory = "{limit}"\n')
        (folder / limit / "grown" / "grown.wasm").write_bytes(module)
        ended = run_command("compile", folder / limit, "--engine", engine, env=env)
        states.append("compiled" if b"compiled" in ended.stdout else ended.stderr.strip())

    too_small = "grown/grown.wasm: module starts with 2 MiB of memory; expected at most 1 MiB (limits.memory)"
    assert states[:3] == ["compiled", "", ""]
    assert too_small in states[4]
