"""The command line's exit codes, and that every error is one line on standard error."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from wasm_grpc import __version__
from wasm_grpc.cli import main


def run(*argv: str) -> tuple[int, str, str]:
    """Run the command line; gives its exit code and what it wrote."""
    stdout, stderr = io.StringIO(), io.StringIO()
    return main(argv, stdout, stderr), stdout.getvalue(), stderr.getvalue()


@pytest.mark.parametrize("argv", [["--help"], ["-h"], ["--version"], ["serve", "--help"], ["run", "-h"]])
def test_asking_for_help_is_no_error(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Help and version go to standard output, with exit code 0."""
    assert run(*argv) == (0, "", "")

    printed = capsys.readouterr()
    assert printed.out.startswith((f"wasm-grpc {__version__}", "usage: wasm-grpc"))
    assert printed.err == ""


def test_no_command_is_help() -> None:
    """Without a command the help is printed, with every command in it."""
    code, stdout, stderr = run()

    assert (code, stderr) == (0, "")
    assert all(f"\n    {command} " in stdout for command in ("serve", "invoke", "run", "check", "list"))


@pytest.mark.parametrize("command", ["bench", "new", "build", "up"])
def test_a_command_of_later(command: str) -> None:
    """A command that is promised says that it has not come yet."""
    assert run(command, "--any") == (
        2,
        "",
        f"wasm-grpc {command}: not available in version {__version__}; see `wasm-grpc --help`\n",
    )


WRONG = {
    "bogus": (2, "wasm-grpc: argument COMMAND: invalid choice: 'bogus'"),
    "--bogus": (2, "wasm-grpc: "),
    "serve --bogus": (2, "wasm-grpc serve: unrecognized arguments: --bogus"),
    "serve --port x": (2, "wasm-grpc serve: argument --port: invalid int value: 'x'"),
    "serve --port 70000": (2, "wasm-grpc serve: port: got 70000; expected 0 to 65535"),
    "serve --workers 0": (2, "wasm-grpc serve: workers: got 0; expected 1 to 1024"),
    "serve --engine v8": (2, "wasm-grpc serve: argument --engine: invalid choice: 'v8'"),
    "serve --drain soon": (2, "wasm-grpc serve: argument --drain: 'soon' is not a duration; expected"),
    "serve --host no.such.host.invalid --port 0": (2, "wasm-grpc serve: --host no.such.host"),
    "serve no-such-folder --port 0": (2, "wasm-grpc serve: no-such-folder: no such folder; expected"),
    "list no-such-folder": (2, "wasm-grpc list: no-such-folder: no such folder; expected"),
    "check no-such-folder": (2, "wasm-grpc check: no-such-folder: no such folder; expected"),
    "run --memory 5 x.wasm": (125, "wasm-grpc run: argument --memory: '5' is not a size; expected"),
    "run": (125, "wasm-grpc run: the following arguments are required: FILE"),
    "invoke": (2, "wasm-grpc invoke: the following arguments are required: METHOD"),
    "invoke m --address a:1 --app-id a": (
        2,
        "wasm-grpc invoke: argument --app-id: not allowed with argument --address",
    ),
}
"""By command line: the exit code, and how the one line begins."""


@pytest.mark.parametrize(("argv", "code", "error"), [(argv, *end) for argv, end in WRONG.items()], ids=WRONG)
def test_a_wrong_argument_is_one_line(
    argv: str, code: int, error: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is wrong with the arguments is said in one line without the usage; the exit code is 2, for `run` 125."""
    monkeypatch.chdir(tmp_path)

    found, stdout, stderr = run(*argv.split())

    assert (found, stdout) == (code, "")
    assert stderr.startswith(error)
    assert stderr.count("\n") == 1


def test_the_log_level_is_checked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A log level that there isn't is a wrong setting."""
    monkeypatch.setenv("WASM_GRPC_LOG", "loud")
    monkeypatch.setenv("WASM_GRPC_PORT", "0")

    assert run("serve", str(tmp_path)) == (
        2,
        "",
        "wasm-grpc serve: WASM_GRPC_LOG: got 'loud'; expected debug, info, warning, error\n",
    )


def test_an_error_of_ours_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A fault in the program is one line too, with exit code 1 and how to learn more."""

    def fail(*_: object) -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("wasm_grpc.cli.listing.read_functions", fail)

    assert run("list", str(tmp_path)) == (
        1,
        "",
        "wasm-grpc list: internal error: ZeroDivisionError: by zero; set WASM_GRPC_DEBUG=1 for a traceback\n",
    )
