"""`wasm-grpc compile` and `wasm-grpc doctor`, as their users run them."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path

import pytest

from integration.guests import write_functions
from rig import installed_command

pytestmark = pytest.mark.timeout(60)  # each run starts an interpreter or two


def run(*arguments: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run one command to its end, without a terminal."""
    return subprocess.run(
        [installed_command(), *map(str, arguments)],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


def test_compile_fills_the_cache(engine: str, tmp_path: Path) -> None:
    """The first run compiles each function, the second finds all of them; neither shows progress in a pipe."""
    functions = write_functions(tmp_path / "functions", {"echo": "", "trap": ""})
    env = {"WASM_GRPC_CACHE_DIR": str(tmp_path / "cache")}

    first = run("compile", functions, "--engine", engine, "--json", **env)
    second = run("compile", functions, "--engine", engine, "--json", **env)

    assert (first.returncode, first.stderr) == (0, "")
    assert [(each["name"], each["is_new"]) for each in json.loads(first.stdout)] == [
        ("echo", True),
        ("trap", True),
    ]
    assert [each["is_new"] for each in json.loads(second.stdout)] == [False, False]
    assert all(each["engine"].startswith(f"{engine} ") for each in json.loads(second.stdout))
    assert len(list((tmp_path / "cache").glob("*.artifact"))) == 2


def test_compile_says_what_it_has_done(tmp_path: Path) -> None:
    """Without --json it prints a table, and with --only no more than was asked for."""
    functions = write_functions(tmp_path / "functions", {"echo": "", "trap": ""})

    found = run(
        "compile",
        functions,
        "--engine",
        "wasmtime",
        "--only",
        "echo",
        WASM_GRPC_CACHE_DIR=str(tmp_path / "cache"),
    )

    title, *rows = found.stdout.splitlines()
    assert title.split() == ["FUNCTION", "ENGINE", "SIZE"]
    assert [(row.split()[0], row.split()[-1]) for row in rows] == [("echo", "compiled")]


def test_compile_shows_progress_on_a_terminal(tmp_path: Path) -> None:
    """On a terminal a bar grows with each function, and is gone at the end."""
    functions = write_functions(tmp_path / "functions", {"echo": "", "trap": ""})
    terminal, program_side = pty.openpty()

    with os.fdopen(terminal, "rb", buffering=0) as shown, os.fdopen(program_side, "wb") as stderr:
        subprocess.run(
            [installed_command(), "compile", functions, "--engine", "wasmtime"],
            env={**os.environ, "WASM_GRPC_CACHE_DIR": str(tmp_path / "cache")},
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            timeout=50,
            check=True,
        )
        progress = shown.read(4096).decode()

    first, second, rest = progress.split("\r\x1b[K")[1:]
    assert first.startswith("[##########..........] 1/2 ")
    assert second.startswith("[####################] 2/2 ")
    assert rest == ""


def test_compile_needs_a_cache(tmp_path: Path) -> None:
    """A cache that can't be kept is a failure: the work would be lost."""
    functions = write_functions(tmp_path / "functions", {"echo": ""})
    (tmp_path / "file").touch()

    found = run(
        "compile", functions, "--engine", "wasmtime", WASM_GRPC_CACHE_DIR=str(tmp_path / "file" / "cache")
    )

    assert found.returncode == 1
    assert found.stdout == ""
    assert found.stderr.splitlines()[-1] == (
        "wasm-grpc compile: artifact cache: can't be written, so nothing was kept; expected a folder for it"
    )


def test_compile_refuses_what_serve_refuses(tmp_path: Path) -> None:
    """A module that no engine takes is named with its file, exit code 2."""
    functions = write_functions(tmp_path / "functions", {"echo": ""})
    (functions / "echo" / "echo.wasm").write_bytes(b"\0asm\1\0\0\0")

    found = run("compile", functions, "--engine", "wasmtime", WASM_GRPC_CACHE_DIR=str(tmp_path / "cache"))

    assert found.returncode == 2
    assert found.stderr.startswith("echo/echo.wasm: ")


def test_doctor_finds_an_engine(engine: str, tmp_path: Path) -> None:
    """An engine is found by starting it; the cache's folder is told and not made."""
    cache = tmp_path / "cache"

    found = run("doctor", "--engine", engine, "--json", WASM_GRPC_CACHE_DIR=str(cache))

    diagnosis = json.loads(found.stdout)
    findings = {each["subject"]: each for each in diagnosis["findings"]}
    assert found.returncode == 0
    assert diagnosis["can_serve"] is True
    assert list(findings) == [
        "server",
        f"engine {engine}",
        f"inference {engine}",
        f"pictures {engine}",
        "landlock",
        "seccomp",
        "artifact cache",
        "daprd",
        "redis",
    ]
    assert findings[f"engine {engine}"]["found"].startswith(f"{engine} ")
    assert findings["artifact cache"]["found"] == f"{cache} (to be made by the first start)"
    assert not cache.exists()


def test_doctor_says_what_is_missing(tmp_path: Path) -> None:
    """Without an engine nothing can be served: exit code 1, and each line says what was expected."""
    (tmp_path / "cache").touch()

    found = run(
        "doctor",
        "--worker-python",
        "/bin/false",
        PATH="",
        HOME=str(tmp_path),
        WASM_GRPC_CACHE_DIR=str(tmp_path / "cache"),
        DAPRD="",
    )

    lines = found.stdout.splitlines()
    missing = {" ".join(line.split()[1:3]): line for line in lines if line.startswith("--")}
    assert found.returncode == 1
    assert missing.keys() >= {"engine wasmer", "engine wasmtime", "artifact cache", "daprd not"}
    assert all(
        "; expected " in missing[each] for each in missing if not each.startswith(("landlock", "seccomp"))
    )
    assert lines[-1] == "can't serve: no engine"
