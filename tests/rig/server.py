"""Our server, as its own process."""

from __future__ import annotations

import shutil
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from rig.environment import clean_environment
from rig.processes import Child, child
from rig.skip import need

__all__ = ["Server", "installed_command", "serve"]

# `serving 127.0.0.1:50051 (2 functions, wasmer 1.1.0 on CPython 3.10.13, 2 workers)`
READY = r"^serving (?P<host>\S+):(?P<port>\d+) \((?P<summary>.*)\)$"


@dataclass(frozen=True)
class Server:
    """A server that has said where it serves."""

    host: str
    port: int
    summary: str  # "2 functions, wasmer 1.1.0 on CPython 3.10.13, 2 workers"
    process: Child

    @property
    def address(self) -> str:
        """What a gRPC channel dials."""
        return f"{self.host}:{self.port}"


@asynccontextmanager
async def serve(
    functions: Path,
    *arguments: str,
    port: int = 0,
    env: Mapping[str, str] | None = None,
    command: Sequence[str | Path] | None = None,
    start_timeout_s: float = 60.0,
) -> AsyncIterator[Server]:
    """
    Run `wasm-grpc serve` on a folder of functions: ready when the context is entered, drained at its end.

    The default is the command that is installed beside this Python; `port` 0 is any free one.
    """
    program = command or [installed_command()]
    flags = ["serve", str(functions), "--port", str(port), *arguments]
    async with child(*program, *flags, env=clean_environment(env or {})) as process:
        ready = await process.line(READY, timeout_s=start_timeout_s)
        yield Server(ready["host"], int(ready["port"]), ready["summary"], process)


def installed_command() -> str:
    """Return the path of `wasm-grpc` beside this Python; where it isn't, the test is skipped."""
    found = shutil.which("wasm-grpc", path=str(Path(sys.executable).parent))
    return need(found, "no wasm-grpc beside this Python: make setup installs it")
