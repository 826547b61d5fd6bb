"""Start and stop the demo's processes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from wasm_grpc.core.errors import HostError

__all__ = ["Child", "child", "free_ports"]

_STOP_S = 10.0
"""Longest wait for a child to exit after SIGTERM. An idle daprd drains for at most 5 s."""
_LAST_LINES = 5
_REMOVED_PREFIXES = ("APP_", "DAPR_")
"""Prefixes of variables that children don't inherit: `dapr run` sets them for the user's own app."""


@dataclass(frozen=True, slots=True)
class Child:
    """
    A child process of the demo.

    Attributes:
        name: Its name in messages.
        log: The file with its standard error.
    """

    name: str
    log: Path
    _process: asyncio.subprocess.Process

    async def line(self, pattern: str, *, seconds: float) -> re.Match[str]:
        """
        Wait for its first line on standard output, and match it.

        Raises:
            HostError: It ended, wrote something else, or wrote nothing in time.
        """
        assert self._process.stdout is not None  # noqa: S101 - it was started with a pipe
        try:
            line = await asyncio.wait_for(self._process.stdout.readline(), seconds)
        except asyncio.TimeoutError:
            raise HostError(f"{self.name}: not ready after {seconds:g} s; see {self.log}") from None
        found = re.search(pattern, line.decode().strip())
        if found is None:
            raise self.ended()
        return found

    async def wait(self) -> int:
        """
        Wait for it to end, and return its exit code.
        """
        return await self._process.wait()

    @property
    def has_ended(self) -> bool:
        """
        Whether it has exited.
        """
        return self._process.returncode is not None

    def ended(self) -> HostError:
        """
        Return the error for a child that has exited: the last lines of its log.
        """
        lines = self.log.read_text("utf-8", "replace").strip().splitlines()[-_LAST_LINES:]
        return HostError("\n".join(lines) or f"{self.name}: ended; see {self.log}")


def free_ports(count: int) -> list[int]:
    """
    Return `count` free TCP ports of the loopback interface.
    """
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        # All are open at the same time, so that no port is returned twice.
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]


@contextlib.asynccontextmanager
async def child(
    name: str, command: Sequence[str], *, folder: Path, env: Mapping[str, str] | None = None
) -> AsyncIterator[Child]:
    """
    Start a process that logs to a file in `folder`. On exit it gets SIGTERM, later SIGKILL.

    Raises:
        HostError: It can't be started.
    """
    own = {key: value for key, value in os.environ.items() if not key.startswith(_REMOVED_PREFIXES)}
    log = folder / f"{name}.log"
    with log.open("wb") as file:
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=file,
                env={**own, **(env or {})},
            )
        except OSError as exc:
            raise HostError(
                f"{command[0]}: can't be started: {exc.strerror}; expected an executable program"
            ) from exc
    try:
        yield Child(name, log, process)
    finally:
        # Shielded: a second cancellation must not leave the process behind.
        await asyncio.shield(_stop(process))


async def _stop(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), _STOP_S)
    except asyncio.TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
