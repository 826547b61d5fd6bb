"""A Redis server with its own port and folder, in memory only."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from rig.ports import HOST, free_port
from rig.processes import child
from rig.skip import missing

__all__ = ["redis"]

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "redis"
START_TIMEOUT_S = 10.0


@asynccontextmanager
async def redis(folder: Path) -> AsyncIterator[str]:
    """Run Redis and yield its address, a component's `redisHost`; skip the test if Redis is not installed."""
    found = await asyncio.to_thread(subprocess.run, [SCRIPT], capture_output=True, text=True, check=False)
    if found.returncode:
        missing(found.stderr.strip())
    port = free_port()
    async with child(SCRIPT, str(port), folder) as process:
        await process.line("Ready to accept connections", timeout_s=START_TIMEOUT_S)
        yield f"{HOST}:{port}"
