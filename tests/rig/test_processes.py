"""The rig's child processes."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from rig.processes import Child, ChildError, child

pytestmark = pytest.mark.asyncio

TESTS = Path(__file__).resolve().parents[1]

# Ignores SIGTERM, as does a child of its own, whose process id it says; the child says 0.
STUBBORN = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.write(1, b"%d\\n" % os.fork())
time.sleep(600)
"""

# Says the process id of its child.
TEST_RUN = """
import asyncio, sys
from rig.processes import child

async def main():
    async with child(sys.executable, "-c", "import time; time.sleep(600)") as inner:
        print(inner.pid, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


def python(code: str) -> tuple[str, ...]:
    """Return the command that runs the code."""
    return sys.executable, "-c", code


async def ends(pid: int) -> bool:
    """Say whether a process that is no child of ours ends within a second: that can only be looked up."""
    status = Path(f"/proc/{pid}/status")
    for _ in range(100):
        try:
            if "State:\tZ" in await asyncio.to_thread(status.read_text):
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        await asyncio.sleep(0.01)
    return False


async def test_a_line_is_waited_for() -> None:
    """A line is found whether it came before or after the wait began, and streams are kept apart."""
    async with child(
        *python("import sys; print('one'); print('two 2'); print('bad', file=sys.stderr)")
    ) as echo:
        second = await echo.line(r"two (\d)", timeout_s=5)
        first = await echo.line("one", timeout_s=5)
        code = await echo.wait(timeout_s=5)

    assert (second[1], first.string, code) == ("2", "one", 0)
    assert (echo.stdout.lines, echo.stderr.lines) == (["one", "two 2"], ["bad"])


async def test_an_early_end_is_an_error_that_shows_the_output() -> None:
    """A child that ends without the line fails at once, with its exit code and its last words."""
    async with child(*python("import sys; sys.exit('no such flag')")) as broken:
        with pytest.raises(ChildError, match=r"exit code 1; expected a line 'ready'[^$]*no such flag"):
            await broken.line("ready", timeout_s=5)


async def test_silence_is_an_error() -> None:
    """A child that says nothing fails at the deadline."""
    async with child(*python("import time; time.sleep(600)")) as silent:
        with pytest.raises(ChildError, match=r"no line 'ready' on stdout after 0.1 s"):
            await silent.line("ready", timeout_s=0.1)


async def test_output_goes_to_a_log(tmp_path: Path) -> None:
    """With a log, both streams are in the file."""
    log = tmp_path / "child.log"

    async with child(*python("import os; os.write(1, b'out\\n'); os.write(2, b'err\\n')"), log=log) as writer:
        await writer.wait(timeout_s=5)

    assert log.read_text() == "out\nerr\n"


async def test_nothing_is_left_of_a_cancelled_test() -> None:
    """A context that is cancelled, and again while it ends, leaves neither its child nor the child's own."""
    started: asyncio.Future[tuple[Child, int]] = asyncio.get_running_loop().create_future()

    async def run() -> None:
        async with child(*python(STUBBORN), grace_s=0.1) as stubborn:
            await stubborn.line("^0$", timeout_s=5)
            grandchild = await stubborn.line("^[1-9]", timeout_s=5)
            started.set_result((stubborn, int(grandchild.string)))
            await asyncio.Event().wait()

    running = asyncio.ensure_future(run())
    stubborn, grandchild = await asyncio.wait_for(started, 10)
    running.cancel()
    await asyncio.wait([running], timeout=0.01)
    running.cancel()

    with pytest.raises(asyncio.CancelledError):
        await running
    assert stubborn.exit_code == -signal.SIGKILL
    assert await ends(grandchild)


async def test_a_child_ends_with_the_test_run() -> None:
    """A test run that is killed takes its children along."""
    async with child(*python(TEST_RUN), cwd=TESTS) as run:
        pid = await run.line(r"^\d+$", timeout_s=10)

        run.signal(signal.SIGKILL)

        assert await ends(int(pid.string))
