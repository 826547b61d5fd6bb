"""What ``run --file`` and ``run --scratch`` say of what can't be mounted."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from wasm_grpc.cli import main

__all__ = []


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        (
            ["--file", "no:/x"],
            "--file no:/x: 'no' can't be read: No such file or directory; expected a readable file or folder",
        ),
        (["--scratch", "a.txt:/x"], "--scratch a.txt:/x: 'a.txt' is a file; expected a folder"),
        (
            ["--file", "d:/x", "--scratch", "d:/x"],
            "--scratch d:/x: '/x' is given twice; expected another path",
        ),
        (
            ["--file", "a.txt:/x", "--file", "a.txt:/x"],
            "--file a.txt:/x: '/x' is given twice; expected another path",
        ),
        (
            ["--file", "full:/x", "--file", "a.txt:/x/a.txt"],
            "--file a.txt:/x/a.txt: '/x/a.txt' is given twice; expected another path",
        ),
        (
            ["--file", "a.txt:/x/a.txt", "--scratch", "d:/x"],
            "--scratch d:/x: '/x' has read-only files; expected a separate folder",
        ),
    ],
    ids=[
        "missing",
        "scratch of a file",
        "twice",
        "file twice",
        "file in a folder twice",
        "scratch over a file",
    ],
)
def test_mount_that_cannot_be_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: list[str], problem: str
) -> None:
    """It is one line that names the flag as given, and the exit code is that of a guest that never ran."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").touch()
    (tmp_path / "d").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a.txt").touch()
    stderr = io.StringIO()

    code = main(["run", *flags, "guest.wasm"], io.StringIO(), stderr)

    assert code == 125
    assert stderr.getvalue() == f"wasm-grpc run: {problem}\n"
