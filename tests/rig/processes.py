"""Child processes that never outlive the test that started them."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

__all__ = ["Child", "ChildError", "Lines", "child"]

CHUNK_BYTES = 65_536
TAIL_LINES = 40


class ChildError(Exception):
    """A child ended, or kept silent, when something else was expected of it."""


class Lines:
    """The lines that a child has written to one of its streams so far."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._has_ended = False
        self._changed = asyncio.Event()

    async def match(self, pattern: str) -> re.Match[str]:
        """Wait for a line in which `pattern` is found, old ones too; raise EOFError if none will come."""
        seen = 0
        while True:
            for line in self.lines[seen:]:
                if found := re.search(pattern, line):
                    return found
            seen = len(self.lines)
            if self._has_ended:
                raise EOFError(pattern)
            await self._changed.wait()

    async def follow(self, stream: asyncio.StreamReader) -> None:
        """Collect the lines of `stream` until it ends."""
        partial = b""
        while chunk := await stream.read(CHUNK_BYTES):
            *whole, partial = (partial + chunk).split(b"\n")
            self._add(whole)
        self._has_ended = True
        self._add([partial] if partial else [])

    def _add(self, lines: list[bytes]) -> None:
        self.lines.extend(line.decode(errors="replace") for line in lines)
        self._changed.set()
        self._changed = asyncio.Event()


class Child:
    """A running child: its output, its exit code, and the signals to send it."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path | None) -> None:
        self.name = name
        self.stdout = Lines()
        self.stderr = Lines()
        self._process = process
        self._log = log

    @property
    def pid(self) -> int:
        """The child's process id, also that of its process group."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """The exit code, negative for a signal; None while the child runs."""
        return self._process.returncode

    def signal(self, number: signal.Signals) -> None:
        """Send the child, and not its own children, a signal."""
        with suppress(ProcessLookupError):
            self._process.send_signal(number)

    async def wait(self, *, timeout_s: float) -> int:
        """Wait for the child to end and return its exit code; raise ChildError if it doesn't in time."""
        try:
            return await asyncio.wait_for(self._process.wait(), timeout_s)
        except asyncio.TimeoutError:
            raise self.failed(f"still runs after {timeout_s:g} s; expected it to end") from None

    async def line(self, pattern: str, *, timeout_s: float) -> re.Match[str]:
        """Wait for a line on stdout in which `pattern` is found; raise ChildError if none comes in time."""
        try:
            return await asyncio.wait_for(self.stdout.match(pattern), timeout_s)
        except asyncio.TimeoutError:
            raise self.failed(f"no line {pattern!r} on stdout after {timeout_s:g} s") from None
        except EOFError:
            code = await self.wait(timeout_s=timeout_s)
            raise self.failed(f"exit code {code}; expected a line {pattern!r} on stdout") from None

    def failed(self, what: str) -> ChildError:
        """Return an error that says what was wrong and shows the end of the child's output."""
        return ChildError(f"{self.name}: {what}\n{self.tail()}")

    def tail(self) -> str:
        """Return the end of the child's output."""
        if self._log is not None:
            lines = self._log.read_text(errors="replace").splitlines()
        else:
            lines = [*self.stdout.lines, *self.stderr.lines]
        return "\n".join(lines[-TAIL_LINES:])

    async def collect(self) -> None:
        """Collect both streams until they end, where they don't go to a log file."""
        streams = (self.stdout, self._process.stdout), (self.stderr, self._process.stderr)
        await asyncio.gather(*(lines.follow(stream) for lines, stream in streams if stream))

    async def end(self, *, grace_s: float) -> None:
        """Ask the child to end, kill it and all that is left of its group after `grace_s`, and reap it."""
        self.signal(signal.SIGTERM)
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._process.wait(), grace_s)
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        await self._process.wait()


@asynccontextmanager
async def child(
    *command: str | Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    log: Path | None = None,
    grace_s: float = 10.0,
) -> AsyncIterator[Child]:
    """
    Run a command as long as the context lasts; nothing of its process group is left after it.

    With `log` both streams are appended to that file, else they are collected as lines.
    The end of the output is printed at the end, for pytest to show if the test fails.
    """
    running = await _start(command, env=env, cwd=cwd, log=log)
    collecting = asyncio.ensure_future(running.collect())
    try:
        yield running
    finally:
        await _uninterrupted(_end(running, collecting, grace_s=grace_s))
        sys.stderr.write(f"--- {running.name}: exit code {running.exit_code}\n{running.tail()}\n")


async def _start(
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None,
    cwd: Path | None,
    log: Path | None,
) -> Child:
    output = await asyncio.to_thread(log.open, "ab") if log else None
    try:
        process = await asyncio.create_subprocess_exec(
            *_bound_to_this_process(),
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output or asyncio.subprocess.PIPE,
            stderr=output or asyncio.subprocess.PIPE,
            env=None if env is None else dict(env),
            cwd=cwd,
            start_new_session=True,
        )
    finally:
        if output:
            output.close()
    return Child(Path(command[0]).name, process, log)


def _bound_to_this_process() -> list[str]:
    """Return the prefix by which the kernel kills a child when the test run itself is killed."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL"] if setpriv else []


async def _end(running: Child, collecting: asyncio.Future[None], *, grace_s: float) -> None:
    await running.end(grace_s=grace_s)
    # The streams end with their last holder; one that has left the group must not hold up the test run.
    await asyncio.wait([collecting], timeout=grace_s)
    collecting.cancel()


async def _uninterrupted(work: Coroutine[object, object, None]) -> None:
    """Await `work` to its end even when cancelled meanwhile, and only then be cancelled."""
    task = asyncio.ensure_future(work)
    interruption: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as cancelled:
            interruption = cancelled
    task.result()
    if interruption is not None:
        raise interruption
