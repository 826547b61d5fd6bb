"""What a confined process can't do, tried in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CONFINED = (
    "from wasm_grpc.worker.confinement import confine, limit_memory\n"
    "from wasm_grpc.worker.landlock import give_up_writing\n"
    "confine()\nlimit_memory(64 << 20)\ngive_up_writing()\n"
)


def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run code in a confined process."""
    return subprocess.run(
        [sys.executable, "-c", CONFINED + code, *arguments],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_signals_for_the_process_group_are_ignored(name: str) -> None:
    """A signal for the whole process group doesn't end a worker, since the server handles it."""
    ended = run(f"import os, signal\nos.kill(os.getpid(), signal.{name})\nprint('alive')")

    assert (ended.stdout, ended.returncode) == ("alive\n", 0)


def test_memory_is_limited() -> None:
    """A confined process gets MemoryError if it allocates more than it was given."""
    ended = run("try:\n    bytearray(1 << 30)\nexcept MemoryError:\n    print('refused')")

    assert ended.stdout == "refused\n"


def test_files_can_be_read_but_not_written(tmp_path: Path) -> None:
    """Where the kernel has Landlock, a confined process can't write files, but can read them."""
    file = tmp_path / "file"
    file.write_text("content")
    code = """
import sys
from wasm_grpc.worker.landlock import is_available
if not is_available():
    sys.exit(77)
print(open(sys.argv[1]).read())
for path in (sys.argv[1], sys.argv[1] + ".new"):
    try:
        open(path, "w")
    except PermissionError:
        print("refused")
"""

    ended = run(code, str(file))

    if ended.returncode == 77:
        pytest.skip("this kernel, or this container, has no Landlock")
    assert ended.stdout == "content\nrefused\nrefused\n"
    assert file.read_text() == "content"


def test_only_named_files_can_be_read(tmp_path: Path) -> None:
    """Within its walls, a process opens the files that were named and what is below a named folder, and no other."""
    for path in ("named", "other", "folder/below"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(path)
    code = """
import sys
from pathlib import Path
from wasm_grpc.worker.landlock import is_available
from wasm_grpc.worker.walls import put_up_walls
if not is_available():
    sys.exit(77)
folder = Path(sys.argv[1])
put_up_walls([str(folder / "named"), str(folder / "folder"), str(folder / "missing")])
for path in ("named", "folder/below", "other", "missing"):
    try:
        print((folder / path).read_text())
    except OSError as exc:
        print(exc.strerror)
"""

    ended = run(code, str(tmp_path))

    if ended.returncode == 77:
        pytest.skip("this kernel, or this container, has no Landlock")
    assert ended.stdout.splitlines() == [
        "named",
        "folder/below",
        "Permission denied",
        "No such file or directory",
    ], ended.stderr


def test_a_crash_leaves_no_core_file() -> None:
    """The limit on core files is 0, so that no guest's secrets reach a disk."""
    ended = run("import resource\nprint(resource.getrlimit(resource.RLIMIT_CORE))")

    assert ended.stdout == "(0, 0)\n"
