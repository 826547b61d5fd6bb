"""`wasm-grpc run`: one guest, its streams and its exit code."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from integration.commands import run_command, run_shell
from integration.guests import assemble
from integration.processes import busy_worker, is_alive, until, worker_pids
from rig import child
from wasm_grpc.hosts.wasi.mounts import SCRATCH

C_GUEST = Path(__file__).parents[1] / "conformance" / "guests" / "c" / "guest.wasm"


@pytest.fixture
def env(cache_environment: dict[str, str]) -> dict[str, str]:
    """Return an environment whose log is what a person sees."""
    return {**cache_environment, "WASM_GRPC_LOG": "warning"}


@pytest.fixture
def guest(tmp_path: Path) -> Path:
    """Return a folder with every guest that is run."""
    for name in ("echo", "exit", "exit-300", "trap", "spin", "environment", "arguments", "flood-stdout"):
        (tmp_path / f"{name}.wasm").write_bytes(assemble(name))
    (tmp_path / "text.wasm").write_text("(module)")
    return tmp_path


def test_standard_input_goes_through(engine: str, guest: Path, env: dict[str, str]) -> None:
    """All of standard input comes out of a guest that copies it; exit code 0."""
    body = os.urandom(300_000)

    ended = run_command("run", "--engine", engine, guest / "echo.wasm", stdin=body, env=env)

    assert (ended.stdout, ended.stderr, ended.code) == (body, "", 0)


def test_a_run_starts_one_process(guest: Path, env: dict[str, str], tmp_path: Path) -> None:
    """A module whose code is cached takes a worker alone: nobody is asked beforehand, none is replaced."""
    python, starts = tmp_path / "python", tmp_path / "starts"
    python.write_text(f'#!/bin/sh\necho started >>{starts}\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    command = ("run", "--engine", "wasmtime", "--worker-python", python, guest / "exit.wasm")
    run_command(*command, stdin=b"\0", env=env)
    starts.unlink()

    ended = run_command(*command, stdin=b"\0", env=env)

    assert (ended.code, starts.read_text()) == (0, "started\n")


@pytest.mark.parametrize(
    ("name", "stdin", "flags", "code", "errors"),
    [
        ("exit", b"\x00", [], 0, ["no picture: expected a PNG"]),
        ("exit", b"\x07", [], 7, ["no picture: expected a PNG"]),
        ("exit", b"A", [], 65, ["no picture: expected a PNG"]),
        ("exit", b"\xff", [], 255, ["no picture: expected a PNG"]),
        ("exit-300", b"", [], 255, []),
        ("trap", b"", [], 134, ["wasm-grpc run: trap.wasm: unreachable"]),
        ("spin", b"", ["--timeout", "300ms"], 124, ["wasm-grpc run: spin.wasm: ran longer than 0.3 s"]),
        ("missing", b"", [], 125, ["wasm-grpc run: missing.wasm: No such file or directory"]),
        (
            "text",
            b"",
            [],
            125,
            [
                "wasm-grpc run: text.wasm: module is WebAssembly text; "
                "expected a WebAssembly core module (wat2wasm makes one)"
            ],
        ),
        (
            "echo",
            b"",
            ["--memory", "64KiB"],
            125,
            [
                "wasm-grpc run: echo.wasm: module starts with 256 KiB of memory; expected at most 64 KiB (limits.memory)"
            ],
        ),
    ],
    ids=["0", "7", "65", "255", "300", "trap", "time limit", "no file", "no module", "memory"],
)
def test_exit_codes(
    engine: str,
    guest: Path,
    env: dict[str, str],
    name: str,
    stdin: bytes,
    flags: list[str],
    code: int,
    errors: list[str],
) -> None:
    """The exit code is the guest's, 255 for any above; 134 trap, 124 time limit, 125 it did not run."""
    ended = run_command("run", "--engine", engine, *flags, f"{name}.wasm", stdin=stdin, env=env, cwd=guest)

    assert (ended.code, ended.stdout, ended.errors) == (code, b"", errors)


@pytest.mark.parametrize(
    ("flags", "error"),
    [
        (["--bogus"], "wasm-grpc run: unrecognized"),
        (["--timeout", "soon"], "wasm-grpc run: argument --timeout: 'soon' is not a duration; expected"),
        (["--engine", "v8"], "wasm-grpc run: argument --engine: invalid choice: 'v8'"),
        (
            ["--env", "novalue"],
            "wasm-grpc run: argument --env: 'novalue' is not a variable; expected NAME=value",
        ),
        (["--grant", "state=store/key"], "wasm-grpc run: --grant: without --dapr the guest can't call Dapr"),
        (["--dapr"], "wasm-grpc run: --dapr: the guest may call nothing without a grant; expected --grant"),
        (
            ["--dapr", "--grant", "invoke=shop/../quote"],
            "wasm-grpc run: argument --grant: invoke: 'shop/../quote' names a method that can't be called",
        ),
    ],
    ids=["unknown", "duration", "choice", "variable", "no --dapr", "no grant", "no method"],
)
def test_a_wrong_flag(guest: Path, env: dict[str, str], flags: list[str], error: str) -> None:
    """A wrong flag is one line and 125: the guest, whose codes all others may be, did not run."""
    ended = run_command("run", *flags, guest / "echo.wasm", env=env)

    assert len(ended.errors) == 1
    assert ended.errors[0].startswith(error)
    assert ended.code == 125


def test_arguments(engine: str, guest: Path, env: dict[str, str]) -> None:
    """What stands after FILE is the guest's, flags included; its first argument is the file's name."""
    arguments = ["--engine", "one two", "--", "-x", ""]

    ended = run_command("run", "--engine", engine, guest / "arguments.wasm", *arguments, env=env)

    assert ended.stdout.decode().split("\0")[:-1] == ["arguments.wasm", *arguments]


def test_environment(engine: str, guest: Path, env: dict[str, str]) -> None:
    """The guest has the variables that --env gives, and none of ours."""
    flags = ["--env", "A=1", "--env", "B=x=y"]

    ended = run_command("run", "--engine", engine, *flags, guest / "environment.wasm", env=env)

    assert ended.stdout == b"A=1\0B=x=y\0"


@pytest.mark.parametrize(
    ("limit", "error"),
    [
        ([], ""),
        (
            ["--scratch-limit", "4KiB"],
            f"{SCRATCH}: no room for more; expected at most 4 KiB (limits.scratch; for `run`: --scratch-limit)\n"
            "write: No space left on device\n",
        ),
        (["--scratch-limit", "0"], f"{SCRATCH}/file: Capabilities insufficient\n"),
    ],
    ids=["default", "4 KiB", "none"],
)
def test_scratch_is_bounded(engine: str, env: dict[str, str], limit: list[str], error: str) -> None:
    """What /tmp may hold is a flag; with none of it there is no /tmp."""
    options = ["--engine", engine, *limit]
    file = f"{SCRATCH}/file"

    ended = run_command("run", *options, C_GUEST, "scratch", file, stdin=b"x" * 5000, env=env)

    assert (ended.stderr, ended.code) == (error, 74 if error else 0)


def test_files_of_one_folder(engine: str, tmp_path: Path, env: dict[str, str]) -> None:
    """Files granted one by one lie side by side, in a folder that was granted too or in none."""
    (tmp_path / "model").mkdir()
    for name in ("a", "b", "model/c"):
        (tmp_path / name).write_text(f"text of {name}")
    options = ["--engine", engine]
    for host, place in (("a", "/model/a"), ("model", "/model"), ("b", "/model/b"), ("a", "/a"), ("b", "/b")):
        options += ["--file", f"{tmp_path / host}:{place}"]

    found = [
        run_command("run", *options, C_GUEST, "read", place, env=env).stdout.decode()
        for place in ("/model/a", "/model/b", "/model/c", "/a", "/b")
    ]

    assert found == ["text of a", "text of b", "text of model/c", "text of a", "text of b"]


def test_a_reader_that_goes(engine: str, guest: Path, env: dict[str, str]) -> None:
    """A guest whose output nobody reads any more is stopped, without a word."""
    command = f'"{sys.executable}" -m wasm_grpc run --engine {engine} flood-stdout.wasm | head -c 5 | wc -c'

    piped = run_shell(command, env=env, cwd=guest)

    assert (piped.stdout.strip(), piped.errors) == (b"5", [])


@pytest.mark.asyncio
async def test_streams_flow(engine: str, guest: Path, env: dict[str, str]) -> None:
    """Output is seen before standard input ends."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "wasm_grpc", "run", "--engine", engine, str(guest / "echo.wasm")),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, **env},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    for word in (b"one\n", b"two\n"):
        process.stdin.write(word)
        await process.stdin.drain()
        assert await asyncio.wait_for(process.stdout.readline(), 10) == word
    process.stdin.close()

    assert await process.stdout.read() == b""
    assert await process.wait() == 0


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM), (signal.SIGKILL, -signal.SIGKILL)],
    ids=["SIGINT", "SIGTERM", "SIGKILL"],
)
async def test_a_signal_ends_the_guest(
    engine: str, guest: Path, env: dict[str, str], number: signal.Signals, code: int
) -> None:
    """However the command is ended, its worker doesn't go on."""
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "wasm_grpc",
        "run",
        "--engine",
        engine,
        guest / "spin.wasm",
    ]
    async with child(*command, env={**os.environ, **env}) as process:
        await until(lambda: bool(worker_pids(process.pid)), "a worker")
        worker = await busy_worker(process.pid)

        process.signal(number)

        assert await process.wait(timeout_s=5) == code
        await until(lambda: not is_alive(worker), "the worker's end")
