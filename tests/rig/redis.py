"""A Redis server on a port and a folder of its own, in memory only."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from rig.ports import HOST, free_port
from rig.processes import child
from rig.skip import need

__all__ = ["redis"]

START_TIMEOUT_S = 10.0


@asynccontextmanager
async def redis(folder: Path) -> AsyncIterator[str]:
    """Run Redis and yield its address, a component's `redisHost`; skip the test where there is none."""
    found = os.environ.get("REDIS_SERVER") or shutil.which("redis-server")
    binary = need(found, "no redis-server: install Debian's package, or name one in REDIS_SERVER")
    port = free_port()
    flags = ["--bind", HOST, "--port", str(port), "--dir", str(folder), "--save", "", "--appendonly", "no"]
    async with child(binary, *flags) as process:
        await process.line("Ready to accept connections", timeout_s=START_TIMEOUT_S)
        yield f"{HOST}:{port}"
