"""The processes that the demo starts, and ends."""

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
"""The longest wait for a child to end by itself; daprd drains for 5 s at most when idle."""
_LAST_LINES = 5
_LIFE_OF_ITS_OWN = ("APP_", "DAPR_")
"""What `dapr run` sets for a person's own app is not the demo's."""


@dataclass(frozen=True, slots=True)
class Child:
    """
    A process of the demo.

    Attributes:
        name: For messages.
        log: The file of its standard error.
    """

    name: str
    log: Path
    _process: asyncio.subprocess.Process

    async def line(self, pattern: str, *, seconds: float) -> re.Match[str]:
        """
        Wait for its first line on standard output.

        Raises:
            HostError: It ended, said something else, or kept silent.
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
        Wait for it to end, and give its exit code.
        """
        return await self._process.wait()

    @property
    def has_ended(self) -> bool:
        """
        It runs no more.
        """
        return self._process.returncode is not None

    def ended(self) -> HostError:
        """
        Return the error of a child that has ended: its last words.
        """
        lines = self.log.read_text("utf-8", "replace").strip().splitlines()[-_LAST_LINES:]
        return HostError("\n".join(lines) or f"{self.name}: ended; see {self.log}")


def free_ports(count: int) -> list[int]:
    """
    Return so many free TCP ports of the loopback interface.
    """
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]


@contextlib.asynccontextmanager
async def child(
    name: str, command: Sequence[str], *, folder: Path, env: Mapping[str, str] | None = None
) -> AsyncIterator[Child]:
    """
    Start a process that logs to a file of `folder`; at the end it is told to stop, then made to.

    Raises:
        HostError: It can't be started.
    """
    own = {key: value for key, value in os.environ.items() if not key.startswith(_LIFE_OF_ITS_OWN)}
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
            raise HostError(f"{command[0]}: can't be started: {exc.strerror}; expected a program") from exc
    try:
        yield Child(name, log, process)
    finally:
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
