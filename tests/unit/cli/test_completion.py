"""`wasm-grpc completion`: what a shell makes of its script."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path

import pytest

from wasm_grpc.cli import main

__all__ = []

# What bash does when the Tab key is pressed after these words; a function of the script answers.
PRESS_TAB = """
source "./$1"; shift
function=$(complete -p wasm-grpc); function=${function#*-F }
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*" COMP_POINT=${#COMP_LINE}
${function%% *} wasm-grpc "${COMP_WORDS[COMP_CWORD]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with what may be completed in it: a folder, a module and the script."""
    (tmp_path / "functions").mkdir()
    (tmp_path / "fine.wasm").touch()
    return tmp_path


def _script(shell: str) -> str:
    stdout = io.StringIO()
    assert main(["completion", shell], stdout, io.StringIO()) == 0
    return stdout.getvalue()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["ser"], ["serve"]),
        (["co"], ["compile", "completion"]),
        (["serve", "--work"], ["--worker-python", "--workers"]),
        (["run", "--engine", "wasm"], ["wasmer", "wasmtime"]),
        (["check", "f"], ["functions"]),
        (["run", "f"], ["fine.wasm", "functions"]),
        (["run", "--scr"], ["--scratch", "--scratch-limit"]),
        (["invoke", "--verb", "P"], ["PATCH", "POST", "PUT"]),
        (["invoke", "--data", "fi"], ["fine.wasm"]),
        (["invoke", "--st"], ["--stream"]),
        (["completion", ""], ["bash", "fish", "zsh"]),
    ],
    ids=" ".join,
)
def test_tab_in_bash(folder: Path, words: list[str], expected: list[str]) -> None:
    """Commands, flags, their values, folders and files are completed."""
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash")
    (folder / "script").write_text(_script("bash"))

    pressed = subprocess.run(
        [bash, "-c", PRESS_TAB, "bash", "script", "wasm-grpc", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        timeout=10,
    )

    assert pressed.stderr == ""
    assert sorted(pressed.stdout.split()) == expected


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_script_is_whole(shell: str, tmp_path: Path) -> None:
    """The script names every command; its shell, where it is here, finds no mistake in it."""
    text = _script(shell)
    script = tmp_path / "script"
    script.write_text(text)

    for command in ("serve", "invoke", "run", "check", "list", "compile", "doctor", "demo"):
        assert command in text
    if program := shutil.which(shell):
        checked = subprocess.run(
            [program, "-n", script], capture_output=True, text=True, check=False, timeout=10
        )
        assert (checked.returncode, checked.stderr) == (0, "")


def test_other_shells_are_refused() -> None:
    """A shell that has none is an error that says which have."""
    stderr = io.StringIO()

    assert main(["completion", "csh"], io.StringIO(), stderr) == 2
    assert "invalid choice: 'csh' (choose from " in stderr.getvalue()
