"""What `--help` says."""

from __future__ import annotations

import re
import shlex
import sys

import pytest

from wasm_grpc.cli import main

COMMANDS = ("serve", "invoke", "run", "check", "list", "compile", "doctor", "completion", "web", "demo")


def call(*arguments: str) -> int:
    """Run a command line whose output is argparse's own."""
    return main(arguments, sys.stdout, sys.stderr)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_an_example_that_parses(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command's help has an example of that command, and the command takes it as it stands."""
    assert call(command, "--help") == 0
    example = re.search(r"example: wasm-grpc (.*)", capsys.readouterr().out)
    assert example is not None
    name, *arguments = shlex.split(re.split("[<>]", example[1])[0])
    module = {"list": "listing", "compile": "compiling"}.get(command, command)
    monkeypatch.setattr(f"wasm_grpc.cli.{module}.execute", lambda *_: 0)

    code = call(name, *arguments)

    assert name == command
    assert (code, capsys.readouterr().err) == (0, "")


def test_the_overview_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    """`wasm-grpc --help` has a line for each command that is there."""
    assert call("--help") == 0

    lines = capsys.readouterr().out.splitlines()
    named = [match[1] for line in lines if (match := re.match(r"    ([a-z]+)(?: {2,}\S|$)", line))]
    assert named == list(COMMANDS)
