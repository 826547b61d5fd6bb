"""
A machine of a test's own: its loopback, its processes, and a fresh clone at the place of this repository.

Pages name ports that others may use here, and write into the clone. On a machine of its own a command runs as it
stands, whatever else runs here, and nothing is left of it. It is made of Linux's namespaces.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from rig import child

__all__ = ["NODE_MODULES", "REPOSITORY", "Machine", "machine"]

REPOSITORY = Path(__file__).resolve().parents[2]
NODE_MODULES = REPOSITORY / "tests" / "conformance" / "guests" / "assemblyscript" / "node_modules"
MADE = (REPOSITORY / ".venv", REPOSITORY / ".venv-wasmer", REPOSITORY / ".tools", NODE_MODULES)
"""What was made and fetched here, and need not be again in the clone."""

_NOT_CLONED = shutil.ignore_patterns(
    ".git", ".venv*", ".tools", ".*_cache", "__pycache__", ".hypothesis", "target", "node_modules", "*-output"
)
_ENTERED = """
import fcntl, signal, socket, struct, subprocess, sys

clone, repository, *made = sys.argv[1:]
for each in made:
    subprocess.run(["mount", "--bind", f"{repository}/{each}", f"{clone}/{each}"], check=True)
    # `make demo` would make a stale environment anew, without a network to do so.
    subprocess.run(["mount", "-o", "remount,bind,ro", f"{clone}/{each}"], check=True)
subprocess.run(["mount", "--rbind", clone, repository], check=True)
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
    SIOCSIFFLAGS, IFF_UP = 0x8914, 1
    fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP))
signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # orphans become this process's, and need not be waited for
print("ready", flush=True)
while True:
    signal.pause()
"""
_UNSHARE = (
    "unshare", "--user", "--map-root-user", "--net", "--pid", "--mount", "--fork", "--kill-child", "--mount-proc",
)  # fmt: skip


class Machine:
    """A running machine."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    @property
    def entry(self) -> tuple[str, ...]:
        """The words before a command that is to run there, as the first of a session."""
        target = f"--target={self._pid}"
        kinds = ("--user", "--net", "--pid", "--mount", "--preserve-credentials")
        return ("nsenter", target, *kinds, "setsid", "--wait")


@asynccontextmanager
async def machine(folder: Path) -> AsyncIterator[Machine]:
    """Run a machine as long as the context lasts; skip the test where the kernel allows none, in CI too."""
    if not _is_allowed():
        pytest.skip("no namespaces of Linux for this user, so the commands of the pages can't be run apart")
    clone = folder / "clone"
    shutil.copytree(REPOSITORY, clone, ignore=_NOT_CLONED, symlinks=True)
    made = [str(each.relative_to(REPOSITORY)) for each in MADE if each.is_dir()]
    for each in made:
        (clone / each).mkdir()
    command = [*_UNSHARE, sys.executable, "-c", _ENTERED, str(clone), str(REPOSITORY), *made]
    async with child(*command, grace_s=0) as holder:
        await holder.line("^ready$", timeout_s=10)
        inside = Path(f"/proc/{holder.pid}/task/{holder.pid}/children").read_text("ascii")
        yield Machine(int(inside))


def _is_allowed() -> bool:
    tried = subprocess.run([*_UNSHARE, "true"], capture_output=True, check=False, timeout=10)
    return tried.returncode == 0
