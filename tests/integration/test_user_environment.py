"""Commands whose user, home, environments or standard streams are not what they usually are."""

from __future__ import annotations

import os
import site
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

import wasm_grpc
from integration.commands import Ended, run_shell
from integration.guests import write_function

__all__ = []

UNKNOWN_USER = "64321"
"""A user id that has no passwd entry."""

PACKAGES = [str(Path(wasm_grpc.__file__).parents[1]), *site.getsitepackages()]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a function below `functions`, which every user may enter; pytest's own are not such."""
    with tempfile.TemporaryDirectory(prefix="wasm-grpc-test-") as name:
        path = Path(name)
        path.chmod(0o777)
        write_function(path / "functions", "hello", guest="deaf")
        yield path


def run_as_unknown_user(folder: Path, *arguments: str, python: Path = Path(sys.executable)) -> Ended:
    """
    Run ``wasm-grpc`` as a user without passwd entry and home.

    It keeps one privilege of root's, to read: where the interpreter lies in root's own home, no other user
    could start it.
    """
    if os.geteuid() != 0:
        pytest.skip("only root can run a command as another user")
    user = ["--reuid", UNKNOWN_USER, "--regid", UNKNOWN_USER, "--clear-groups"]
    reads = ["--inh-caps", "-all,+dac_read_search", "--ambient-caps", "-all,+dac_read_search"]
    ended = subprocess.run(
        ["setpriv", *user, *reads, python, "-m", "wasm_grpc", *arguments],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(PACKAGES)},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr.decode())


def test_doctor_serves_a_user_that_the_system_does_not_know(folder: Path) -> None:
    """It reports as for anybody, and says that such a user has no home for the cache."""
    ended = run_as_unknown_user(folder, "doctor")

    assert ended.stderr == ""
    assert "this user has no home" in ended.stdout.decode()


def test_a_user_that_the_system_does_not_know_checks_functions(folder: Path) -> None:
    """The cache is one of this run alone; the rest is as ever."""
    ended = run_as_unknown_user(folder, "check", "functions", "--engine", "wasmtime")

    assert (ended.code, "internal error" in ended.stderr) == (0, False)


@pytest.mark.parametrize("command", ["check functions --engine wasmtime", "check functions", "doctor"])
def test_an_environment_for_wasmer_that_can_not_be_read_stops_no_command(folder: Path, command: str) -> None:
    """The interpreter beside ours is a possibility; where this user may not look, it isn't there."""
    venv.create(folder / ".venv", symlinks=True, with_pip=False)
    # Another process's root: no other user may look there, whatever its privileges to read.
    (folder / ".venv-wasmer").symlink_to("/proc/1/root")

    ended = run_as_unknown_user(folder, *command.split(), python=folder / ".venv" / "bin" / "python")

    assert "internal error" not in ended.stderr
    assert "wasmtime" in ended.stdout.decode()


@pytest.mark.parametrize(
    ("redirection", "reason"),
    [(">/dev/full", "No space left on device"), (">&-", "Bad file descriptor")],
    ids=["a full device", "a closed descriptor"],
)
@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("run functions/hello/hello.wasm", 125),
        ("list functions", 1),
        ("check functions", 1),
        ("--help", 1),
        ("list --help", 1),
        ("completion bash", 1),
        ("--version", 1),
    ],
)
def test_output_that_can_not_be_written_is_one_sentence(
    folder: Path, command: str, code: int, redirection: str, reason: str
) -> None:
    """What can't be written has failed, and the one line on standard error says what and why."""
    # Not unbuffered: then argparse hears of it itself, and doesn't tell.
    line = f"unset PYTHONUNBUFFERED; {sys.executable} -m wasm_grpc {command} {redirection}"

    ended = run_shell(line, env={}, cwd=folder)

    name = "" if command.startswith("-") else f" {command.split(maxsplit=1)[0]}"
    line = f"wasm-grpc{name}: standard output can't be written: {reason}"
    assert (ended.code, ended.errors) == (code, [line])


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full", "0<&-", "0<&- >&- 2>&-"])
def test_the_other_streams_may_be_missing(folder: Path, redirection: str) -> None:
    """A command that has nothing to say there doesn't notice; no file of its own takes the number."""
    command = f"{sys.executable} -m wasm_grpc list functions --json {redirection}"

    ended = run_shell(command, env={}, cwd=folder)

    has_output = ">&- 2" not in redirection
    assert (ended.code, ended.errors) == (0 if has_output else 1, [])
    assert bool(ended.stdout) == has_output


def test_a_function_folder_that_can_not_be_read_is_named(folder: Path) -> None:
    """It is the one that is named, not the folder that was asked for."""
    (folder / "functions" / "other").symlink_to("/proc/1/root")

    ended = run_as_unknown_user(folder, "list", "functions")

    assert ended.code == 2
    assert ended.errors == [
        f"wasm-grpc list: {folder / 'functions' / 'other'}: can't be read: Permission denied; "
        "expected a folder of functions, each with a function.toml, or one function's own folder"
    ]
