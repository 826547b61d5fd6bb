"""Where a streamed result goes."""

from __future__ import annotations

import io
import os
import threading
from pathlib import Path

import pytest

from wasm_grpc.cli.results import FileResult, Result, StandardOutput, result_at
from wasm_grpc.core.errors import ConfigError


def names(folder: Path) -> list[str]:
    """Name what is in a folder."""
    return sorted(path.name for path in folder.iterdir())


def opened(result: Result) -> Result:
    """Open a place for a result."""
    result.open()
    return result


def test_a_whole_result(tmp_path: Path) -> None:
    """A file gets its name once its result is whole, even an empty one."""
    for name, chunks in (("full", [b"a", b"b"]), ("empty", [])):
        result = opened(FileResult(str(tmp_path / name)))
        for chunk in chunks:
            result.write(chunk)
        assert not (tmp_path / name).exists()
        result.complete()

        assert result.close() == ""
        assert (tmp_path / name).read_bytes() == b"".join(chunks)
    assert names(tmp_path) == ["empty", "full"]


def test_a_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has come of a result that never is whole stays beside the file, which keeps what it had."""
    monkeypatch.chdir(tmp_path)
    Path("file").write_bytes(b"old")
    result = opened(FileResult("file"))
    result.write(b"a")

    assert (result.close(), result.close()) == ("file.part", "file.part")
    assert (Path("file").read_bytes(), Path("file.part").read_bytes()) == (b"old", b"a")


def test_no_part(tmp_path: Path) -> None:
    """Of nothing there is no part."""
    result = opened(FileResult(str(tmp_path / "file")))

    assert (result.close(), result.close()) == ("", "")
    assert names(tmp_path) == []


def test_a_place_that_was_never_opened(tmp_path: Path) -> None:
    """What is closed before it was opened leaves everything as it was."""
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "file.part").write_bytes(b"part")

    assert FileResult(str(tmp_path / "file")).close() == ""
    assert (tmp_path / "file").read_bytes() == b"old"
    assert (tmp_path / "file.part").read_bytes() == b"part"


def test_a_file_that_is_not_public(tmp_path: Path) -> None:
    """A file that only its owner may read stays so, also while it is a part."""
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "file").chmod(0o600)

    result = opened(FileResult(str(tmp_path / "file")))

    assert (tmp_path / "file.part").stat().st_mode & 0o777 == 0o600
    result.complete()
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    """What is no file takes the result as it comes; nothing stands beside it."""
    os.mkfifo(tmp_path / "pipe")
    taken: list[bytes] = []
    reading = threading.Thread(target=lambda: taken.append((tmp_path / "pipe").read_bytes()))
    reading.start()

    result = opened(result_at(str(tmp_path / "pipe"), io.TextIOWrapper(io.BytesIO())))
    result.write(b"a")
    result.complete()

    assert result.close() == ""
    reading.join(5)
    assert (taken, names(tmp_path)) == ([b"a"], ["pipe"])


@pytest.mark.parametrize(
    ("name", "reason"),
    [("missing/file", "No such file or directory"), (".", "Is a directory"), ("", "Is a directory")],
    ids=["no folder", "folder", "empty"],
)
def test_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, reason: str) -> None:
    """A file that can't be written is an error before anything comes."""
    monkeypatch.chdir(tmp_path)

    result = FileResult(name)
    with pytest.raises(ConfigError, match=f"^--output {name}: {reason}; expected a writable file$"):
        result.open()

    assert result.close() == ""
    assert names(tmp_path) == []


def test_standard_output_is_written_at_once() -> None:
    """A chunk is out as soon as it has come, after what was printed before."""
    raw = io.BytesIO()
    stdout = io.TextIOWrapper(io.BufferedWriter(raw))
    stdout.write("before\n")

    result = opened(result_at(None, stdout))
    result.write(b"chunk")

    assert raw.getvalue() == b"before\nchunk"
    result.complete()
    assert result.close() == ""


def test_a_standard_output_that_does_not_block() -> None:
    """An output that has no room now gets the rest once it has."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    body = os.urandom(300_000)
    taken: list[bytes] = []

    def take() -> None:
        with os.fdopen(read, "rb") as file:
            taken.append(file.read())

    reading = threading.Thread(target=take)
    reading.start()
    with os.fdopen(write, "w") as stdout:
        StandardOutput(stdout).write(body)
    reading.join(5)

    assert taken == [body]
